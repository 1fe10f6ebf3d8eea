"""The commands of README.md, as they stand there, one after the other."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from annotator.accounts.models import User
from annotator.builds.writing import MANIFEST
from annotator.demo.services import FOLDER
from annotator.projects.models import Project
from tests.cast import Bells, make_user
from tests.exchange.files import write_files, write_rows

README = Path(__file__).resolve().parent.parent / "README.md"


def commands() -> Iterator[list[str]]:
    """The arguments of each line of the block that begins with create_project."""
    block = re.search(r"```sh\n(create_project .*?)```", README.read_text(), re.DOTALL)
    assert block is not None
    for line in block.group(1).splitlines():
        yield [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', line.partition("#")[0])]


def task(text: str, **labels: str) -> dict[str, Any]:
    """A task of Label Studio in which each person marks the word "fever"."""
    marked = {"start": text.index("fever"), "end": text.index("fever") + 5}
    answers = [
        {"completed_by": who, "result": [{"type": "labels", "value": {**marked, "labels": [label]}}]}
        for who, label in labels.items()
    ]
    return {"id": 1, "data": {"text": text}, "annotations": answers}


@pytest.mark.django_db
def test_the_commands_work_in_their_order(
    bells: Bells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.AUDIT_HEADS_DIR = tmp_path / "heads"  # those of chains of other tests are elsewhere
    make_user("lead")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").mkdir()
    ann = "T1\tDisease 3 13\tchest pain\nT2\tAge 18 20\t60\n"
    write_files(tmp_path / "notes", {"a.txt": "No chest pain, is 60.", "a.ann": ann})
    (tmp_path / "schema.json").write_text((FOLDER / "schema.json").read_text())
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as export:
        export.writestr("export.json", json.dumps([task("No fever. Aspirin 75 mg.", anna="Problem", ben="Dose")]))
    write_rows(tmp_path / "model.jsonl", {"id": "a", "spans": [{"start": 3, "end": 13, "label": "Problem"}]})
    said = StringIO()
    for name, *arguments in commands():
        slug = Project.objects.get().slug if Project.objects.exists() else ""
        call_command(name, *(slug if argument == "P" else argument for argument in arguments), stdout=said)
    assert re.search(r"/accounts/first/\S+\n$", said.getvalue())
    kim = User.objects.get(username="kim")
    assert kim.is_active
    assert kim.memberships.get().role == "annotator"
    manifest = json.loads((tmp_path / "dataset" / MANIFEST).read_text())
    assert (manifest["n_notes"], manifest["n_spans"], manifest["formats"]) == (2, 2, ["jsonl", "messages"])
