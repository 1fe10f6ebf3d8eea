# All migrations up to 0019 as what they come to, for a new database: one table an operation, which takes a third of
# their time. A database that has begun them goes on with them.

from django.db import migrations

from annotator.migrations import _tables_above, _tables_below


class Migration(migrations.Migration):

    replaces = [
        ('annotator', '0001_initial'),
        ('annotator', '0002_ground_floor'),
        ('annotator', '0003_prompts'),
        ('annotator', '0004_reading'),
        ('annotator', '0005_server_permission'),
        ('annotator', '0006_fuzzy'),
        ('annotator', '0007_surface_key'),
        ('annotator', '0008_redo_versions_comments'),
        ('annotator', '0009_relations_and_document_labels'),
        ('annotator', '0010_blind_audits_and_spans'),
        ('annotator', '0011_dismissed'),
        ('annotator', '0012_project_columns'),
        ('annotator', '0013_candidates'),
        ('annotator', '0014_notices'),
        ('annotator', '0015_gold'),
        ('annotator', '0016_rounds'),
        ('annotator', '0017_comparisons'),
        ('annotator', '0018_work_days'),
        ('annotator', '0019_qualification'),
    ]

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [*_tables_below.OPERATIONS, *_tables_above.OPERATIONS]
