"""What goes out in the format of another tool comes in again as what it was, but for what the format does not hold."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from annotator.annotations.models import Annotation
from annotator.projects.services import create_project
from tests.builds.notes import SCHEMA, fever_note, odd_note, write_notes
from tests.cast import NOW, Bells, make_user


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["brat", "xmi", "bioc", "label-studio"])
def test_texts_and_spans_come_back_through_the_import(name: str, bells: Bells, tmp_path: Path) -> None:
    given = [fever_note(), odd_note()]
    _, losses = write_notes(name, tmp_path / "out", [("train", note) for note in given])
    project = create_project(name="Again", schema=SCHEMA, lead=make_user("lead"), now=NOW)
    (path,) = [path for path in (tmp_path / "out").iterdir() if path.name.startswith("train.")]
    said = StringIO()
    call_command("import_documents", project.slug, str(path), "--spans", "--annotator", "kim", stdout=said)
    found = Annotation.objects.filter(set__document__project=project).select_related("set__document")
    came = sorted((one.surface.split(), one.label, sorted(one.attributes.items())) for one in found)
    spans = [span for note in given for span in note.spans]
    went = [(span.surface.split(), span.label, sorted(span.attributes.items())) for span in spans]
    assert came == sorted(went), said.getvalue()  # brat cuts a span where its line ends: the pieces are the words
    texts = {note.text for note in given}
    if name in ("xmi", "bioc"):
        assert losses["characters that XML cannot hold, written as U+FFFD"] == 1
        texts = {text.replace("\x07", "\ufffd") for text in texts}
    assert {one.set.document.text for one in found} == texts
