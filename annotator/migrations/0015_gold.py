import annotator.web.ids
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def find_notes_read_by_several(apps, schema_editor):
    """The notes that several people have submitted already; they wait where a slot of theirs is open."""
    alias = schema_editor.connection.alias
    model = lambda name: apps.get_model("annotator", name).objects.using(alias)
    submitted = model("AnnotationSet").filter(status="submitted").order_by().values_list("document_id")
    several = submitted.annotate(n=models.Count("pk")).filter(n__gt=1).values_list("document_id", flat=True)
    slots = model("ReviewItem").filter(unit="note", status="open").order_by()
    waiting = set(slots.values_list("document_id", flat=True))
    rows = apps.get_model("annotator", "Adjudication")
    model("Adjudication").bulk_create(
        [
            rows(
                document_id=document_id,
                public_id=annotator.web.ids.new_public_id(),
                status="waiting" if document_id in waiting else "open",
            )
            for document_id in several
        ],
        batch_size=1000,
    )


class Migration(migrations.Migration):

    dependencies = [
        ('annotator', '0014_notices'),
    ]

    operations = [
        migrations.CreateModel(
            name='Adjudication',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
                ('status', models.CharField(choices=[('waiting', 'Waits for a reader'), ('open', 'To adjudicate'), ('done', 'Gold')], max_length=10)),
                ('lease_expires_at', models.DateTimeField(null=True)),
                ('version', models.PositiveIntegerField(default=1)),
                ('n_cases', models.PositiveIntegerField(null=True)),
                ('n_settled', models.PositiveIntegerField(null=True)),
                ('done_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Choice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('what', models.CharField(choices=[('agreed', 'Agreed'), ('version', 'Version'), ('all', 'All'), ('neither', 'Neither'), ('edit', 'Edit'), ('undo', 'Undo')], max_length=10)),
                ('case_key', models.CharField(blank=True, max_length=100)),
                ('digest', models.CharField(blank=True, help_text='of what the readings say in the case', max_length=16)),
                ('kind', models.CharField(blank=True, help_text='how the readings differ: core.cases.Kind', max_length=20)),
                ('version', models.CharField(blank=True, help_text='digest of the one taken, or edited', max_length=16)),
                ('edited', models.JSONField(default=dict, help_text='the third version: spans as [fragments, label, attributes]; value')),
                ('between', models.CharField(blank=True, help_text='the labels that the readings give', max_length=300)),
                ('label', models.CharField(blank=True, help_text='the one of them that was taken', max_length=300)),
                ('rule', models.CharField(blank=True, help_text='which rule chose, where no person did', max_length=20)),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('proposes_example', models.BooleanField(default=False)),
                ('active_seconds', models.FloatField(help_text="of the adjudicator's work on it, as the page measured it", null=True)),
                ('idempotency_key', models.CharField(max_length=64, unique=True)),
                ('asked_sha256', models.CharField(blank=True, help_text='of the act in the words of who asked for it', max_length=64)),
                ('decided_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Gold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
            ],
        ),
        migrations.CreateModel(
            name='RuleRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('rule', models.CharField(choices=[('unanimous', 'Unanimous'), ('majority', 'Majority')], max_length=20)),
                ('n_settled', models.PositiveIntegerField(default=0, help_text='differences')),
                ('n_finished', models.PositiveIntegerField(default=0, help_text='notes')),
                ('created_at', models.DateTimeField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='annotationset',
            name='annotation_set_once',
        ),
        migrations.AddField(
            model_name='annotationset',
            name='kind',
            field=models.CharField(choices=[('reading', 'Reading'), ('gold', 'Gold')], default='reading', max_length=10),
        ),
        migrations.AlterField(
            model_name='job',
            name='kind',
            field=models.CharField(choices=[('import', 'Import'), ('build', 'Build'), ('purge', 'Purge'), ('rule', 'Rule')], max_length=20),
        ),
        migrations.AddConstraint(
            model_name='annotationset',
            constraint=models.UniqueConstraint(condition=models.Q(('kind', 'reading')), fields=('document', 'annotator'), name='annotation_set_once'),
        ),
        migrations.AddConstraint(
            model_name='annotationset',
            constraint=models.UniqueConstraint(condition=models.Q(('kind', 'gold')), fields=('document',), name='annotation_set_gold'),
        ),
        migrations.AddField(
            model_name='adjudication',
            name='document',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='adjudication', to='annotator.document'),
        ),
        migrations.AddField(
            model_name='adjudication',
            name='leased_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='choice',
            name='adjudication',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='choices', to='annotator.adjudication'),
        ),
        migrations.AddField(
            model_name='choice',
            name='adjudicator',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='choice',
            name='redoes',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='redone_by', to='annotator.choice'),
        ),
        migrations.AddField(
            model_name='choice',
            name='undoes',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='undone_by', to='annotator.choice'),
        ),
        migrations.AddField(
            model_name='gold',
            name='annotation',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='gold', to='annotator.annotation'),
        ),
        migrations.AddField(
            model_name='gold',
            name='choice',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='gold', to='annotator.choice'),
        ),
        migrations.AddField(
            model_name='gold',
            name='relation',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='gold', to='annotator.relation'),
        ),
        migrations.AddField(
            model_name='gold',
            name='sources',
            field=models.ManyToManyField(related_name='+', to='annotator.annotation'),
        ),
        migrations.AddField(
            model_name='gold',
            name='value',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='gold', to='annotator.documentvalue'),
        ),
        migrations.AddField(
            model_name='rulerun',
            name='created_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='rulerun',
            name='job',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.job'),
        ),
        migrations.AddField(
            model_name='rulerun',
            name='project',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rule_runs', to='annotator.project'),
        ),
        migrations.AddIndex(
            model_name='adjudication',
            index=models.Index(fields=['status', 'document'], name='adjudication_status'),
        ),
        migrations.AddConstraint(
            model_name='adjudication',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('done_at__isnull', False), ('status', 'done')), models.Q(models.Q(('status', 'done'), _negated=True), ('done_at', None)), _connector='OR'), name='adjudication_done'),
        ),
        migrations.AddIndex(
            model_name='choice',
            index=models.Index(fields=['adjudication', 'id'], name='choice_of_adjudication'),
        ),
        migrations.AddIndex(
            model_name='choice',
            index=models.Index(condition=models.Q(('between', ''), _negated=True), fields=['between', 'label'], name='choice_between'),
        ),
        migrations.AddConstraint(
            model_name='gold',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('annotation__isnull', False), ('relation', None), ('value', None)), models.Q(('annotation', None), ('relation__isnull', False), ('value', None)), models.Q(('annotation', None), ('relation', None), ('value__isnull', False)), _connector='OR'), name='gold_of_one_row'),
        ),
        migrations.RunPython(find_notes_read_by_several, migrations.RunPython.noop),
    ]
