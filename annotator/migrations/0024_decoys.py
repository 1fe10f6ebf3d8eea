import annotator.web.ids
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotator", "0023_streams"),
    ]

    operations = [
        migrations.CreateModel(
            name="Decoy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True
                    ),
                ),
                ("label", models.CharField(max_length=40)),
                ("fragments", models.CharField(help_text="'START END;START END', code points", max_length=500)),
                ("start", models.PositiveIntegerField()),
                ("end", models.PositiveIntegerField()),
                ("surface", models.TextField()),
                ("attributes", models.JSONField(default=dict)),
                ("score", models.FloatField()),
                ("signals", models.JSONField(default=dict)),
                (
                    "answer",
                    models.CharField(
                        blank=True,
                        choices=[("rejected", "rejected"), ("accepted", "accepted"), ("changed", "changed")],
                        max_length=10,
                    ),
                ),
                ("told_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="DecoyAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True
                    ),
                ),
                ("label", models.CharField(max_length=40)),
                ("fragments", models.CharField(help_text="'START END;START END', code points", max_length=500)),
                ("start", models.PositiveIntegerField()),
                ("end", models.PositiveIntegerField()),
                ("surface", models.TextField()),
                ("attributes", models.JSONField(default=dict)),
                (
                    "status",
                    models.CharField(
                        choices=[("live", "Live"), ("withdrawn", "Withdrawn")], default="live", max_length=20
                    ),
                ),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="reviewitem",
            name="review_item_unit",
        ),
        migrations.RemoveConstraint(
            model_name="reviewitem",
            name="review_item_slot",
        ),
        migrations.AddField(
            model_name="project",
            name="decoy_percent",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="decoys for a hundred suggestions; reviewers are told where it is not 0"
            ),
        ),
        migrations.AlterField(
            model_name="decision",
            name="stream",
            field=models.CharField(help_text="stream of the item, 'unasked', or 'decoy'", max_length=20),
        ),
        migrations.AlterField(
            model_name="reviewitem",
            name="unit",
            field=models.CharField(
                choices=[
                    ("note", "Note"),
                    ("span", "Span"),
                    ("trial", "Trial"),
                    ("trial_span", "Trial Span"),
                    ("decoy", "Decoy"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="project",
            constraint=models.CheckConstraint(condition=models.Q(("decoy_percent__lte", 10)), name="project_decoys"),
        ),
        migrations.AddConstraint(
            model_name="reviewitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("suggestion", None), ("unit__in", ["note", "trial", "decoy"])),
                    models.Q(("suggestion__isnull", False), ("unit__in", ["span", "trial_span"])),
                    _connector="OR",
                ),
                name="review_item_unit",
            ),
        ),
        migrations.AddConstraint(
            model_name="reviewitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("slot__lt", 1000), ("unit__in", ["note", "span", "decoy"])),
                    models.Q(("slot__gte", 1000), ("unit__in", ["trial", "trial_span"])),
                    _connector="OR",
                ),
                name="review_item_slot",
            ),
        ),
        migrations.AddField(
            model_name="decoy",
            name="answered_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="decoy",
            name="item",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="decoy", to="annotator.reviewitem"
            ),
        ),
        migrations.AddField(
            model_name="decoy",
            name="job",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="annotator.labeljob"
            ),
        ),
        migrations.AddField(
            model_name="decoyanswer",
            name="annotator",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="decoyanswer",
            name="decoy",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="answers", to="annotator.decoy"
            ),
        ),
        migrations.AddField(
            model_name="decision",
            name="made_answer",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="annotator.decoyanswer"
            ),
        ),
        migrations.AddField(
            model_name="decision",
            name="withdrew_answer",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="annotator.decoyanswer"
            ),
        ),
        migrations.AddConstraint(
            model_name="decoy",
            constraint=models.CheckConstraint(
                condition=models.Q(("end__gt", models.F("start")), ("start__gte", 0)), name="decoy_has_a_place"
            ),
        ),
        migrations.AddConstraint(
            model_name="decoy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("answer", ""), ("answered_by", None), ("told_at", None)),
                    models.Q(
                        ("answered_by__isnull", False),
                        ("told_at__isnull", False),
                        models.Q(("answer", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="decoy_is_told",
            ),
        ),
        migrations.AddConstraint(
            model_name="decoyanswer",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "live")), fields=("decoy",), name="decoy_answer_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="decoyanswer",
            constraint=models.CheckConstraint(
                condition=models.Q(("end__gt", models.F("start")), ("start__gte", 0)), name="decoy_answer_has_a_place"
            ),
        ),
    ]
