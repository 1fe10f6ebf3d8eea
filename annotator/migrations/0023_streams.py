from django.db import migrations, models
from django.db.models import OuterRef, Q, Subquery


def copy_random_order(apps, schema_editor):
    """Note items have the place in the random order that their note has."""
    items = apps.get_model("annotator", "ReviewItem").objects.filter(unit="note")
    documents = apps.get_model("annotator", "Document").objects.filter(pk=OuterRef("document"))
    items.update(audit_key=Subquery(documents.values("blind_key")))


class Migration(migrations.Migration):
    dependencies = [("annotator", "0022_assignment")]

    operations = [
        migrations.AddField(
            model_name="calibrator",
            name="applied_to",
            field=models.PositiveBigIntegerField(
                default=0, help_text="the last note whose spans have its confidence; empty when all have", null=True
            ),
        ),
        migrations.AddIndex(
            model_name="reviewitem",
            index=models.Index(
                condition=Q(skipped_at=None, status="open", unit="note"),
                fields=["project", "stream", "audit_key"],
                name="review_item_random",
            ),
        ),
        migrations.RunPython(copy_random_order, migrations.RunPython.noop, elidable=True),
    ]
