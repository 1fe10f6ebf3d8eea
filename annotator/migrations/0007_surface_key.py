from collections.abc import Iterator

from django.db import migrations, models

from annotator.core.surfaces import surface_key

_PAGE = 1000


def fill_keys(apps, schema_editor) -> None:
    """Give the annotations that are there their key: a page of rows in one statement, which both databases know."""
    here = schema_editor.connection
    annotations = apps.get_model("annotator", "Annotation").objects.using(here.alias)
    table = here.ops.quote_name(annotations.model._meta.db_table)
    for page in _pages(annotations.order_by("pk").values_list("pk", "set__document__project_id", "surface")):
        places = ", ".join(["(%s, %s)"] * len(page))
        values = [value for pk, project_id, surface in page for value in (pk, surface_key(project_id=project_id, surface=surface))]
        with here.cursor() as cursor:
            cursor.execute(
                f"UPDATE {table} SET surface_key = found.column2 FROM (VALUES {places}) AS found WHERE {table}.id = found.column1",
                values,
            )


def _pages(rows) -> Iterator[list]:
    last = 0
    while page := list(rows.filter(pk__gt=last)[:_PAGE]):
        yield page
        last = page[-1][0]


class Migration(migrations.Migration):

    dependencies = [
        ('annotator', '0006_fuzzy'),
    ]

    operations = [
        migrations.AddField(
            model_name='annotation',
            name='surface_key',
            field=models.CharField(default='', help_text='core.surfaces.surface_key', max_length=32),
            preserve_default=False,
        ),
        migrations.RunPython(fill_keys, migrations.RunPython.noop, elidable=True),
        migrations.AddIndex(
            model_name='annotation',
            index=models.Index(fields=['surface_key', 'status', 'created_at'], name='annotation_surface'),
        ),
        migrations.AddIndex(
            model_name='annotation',
            index=models.Index(fields=['annotator', 'surface_key', 'status', 'created_at'], name='annotation_surface_own'),
        ),
    ]
