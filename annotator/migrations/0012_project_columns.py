from django.db import migrations, models
from django.db.models import OuterRef, Subquery

_PROJECT = {"to": "annotator.project", "on_delete": models.deletion.PROTECT, "related_name": "+", "db_index": False}


def fill_in(apps, schema_editor):
    """The project of each note, in one statement a table."""
    alias = schema_editor.connection.alias
    items = apps.get_model("annotator", "ReviewItem").objects.using(alias)
    decisions = apps.get_model("annotator", "Decision").objects.using(alias)
    documents = apps.get_model("annotator", "Document").objects.using(alias)
    items.update(project=Subquery(documents.filter(pk=OuterRef("document")).values("project")))
    decisions.update(project=Subquery(items.filter(pk=OuterRef("note_item")).values("project")))


class Migration(migrations.Migration):

    dependencies = [
        ('annotator', '0011_dismissed'),
    ]

    operations = [
        migrations.RemoveIndex(model_name='reviewitem', name='review_item_next'),
        migrations.RemoveIndex(model_name='reviewitem', name='review_item_audit'),
        migrations.RemoveIndex(model_name='reviewitem', name='review_item_held'),
        migrations.AddField('reviewitem', 'project', models.ForeignKey(null=True, **_PROJECT)),
        migrations.AddField('decision', 'project', models.ForeignKey(null=True, **_PROJECT)),
        migrations.RunPython(fill_in, migrations.RunPython.noop, elidable=True),
        migrations.AlterField('reviewitem', 'project', models.ForeignKey(**_PROJECT)),
        migrations.AlterField('decision', 'project', models.ForeignKey(**_PROJECT)),
        migrations.AddIndex(
            model_name='reviewitem',
            index=models.Index(fields=['project', 'unit', 'status', '-priority'], name='review_item_next'),
        ),
        migrations.AddIndex(
            model_name='reviewitem',
            index=models.Index(condition=models.Q(('skipped_at', None), ('status', 'open'), ('unit', 'span')), fields=['project', 'stream', 'audit_key'], name='review_item_audit'),
        ),
        migrations.AddIndex(
            model_name='reviewitem',
            index=models.Index(condition=models.Q(('leased_by__isnull', False)), fields=['leased_by', 'project', 'unit', 'status'], name='review_item_held'),
        ),
        migrations.AddIndex(
            model_name='decision',
            index=models.Index(fields=['project', 'reviewer', 'decided_at'], name='decision_in_project'),
        ),
    ]
