from __future__ import annotations

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

import annotator.web.ids


def name_labelers(apps: Any, schema_editor: Any) -> None:
    """Give each labeler that is there an id that may stand in an address."""
    labelers = apps.get_model("annotator", "Labeler").objects.using(schema_editor.connection.alias)
    for pk in labelers.order_by("pk").values_list("pk", flat=True):
        labelers.filter(pk=pk).update(public_id=annotator.web.ids.new_public_id())


class Migration(migrations.Migration):
    dependencies = [
        ("annotator", "0030_labeler_comparison"),
    ]

    operations = [
        migrations.AddField(
            model_name="labelday",
            name="n_rejected",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name="trainingrun",
            name="labeler",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="trainings",
                to="annotator.labeler",
            ),
        ),
        migrations.AddField(
            model_name="labeler",
            name="public_id",
            field=models.CharField(default="", editable=False, max_length=16),
            preserve_default=False,
        ),
        migrations.RunPython(name_labelers, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="labeler",
            name="public_id",
            field=models.CharField(
                default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True
            ),
        ),
    ]
