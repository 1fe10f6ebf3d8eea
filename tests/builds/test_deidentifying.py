"""Datasets whose identifiers are replaced: what goes in, what goes out, and what is told of the rest."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.annotations.services import NewAnnotation
from annotator.builds.comparing import note_differences
from annotator.builds.criteria import Filters
from annotator.builds.deidentifying import surrogate_key
from annotator.builds.formats import FORMATS
from annotator.builds.identified import NOT_DECIDED, NOT_READ
from annotator.builds.index import read_index
from annotator.builds.manifest import LEFTOVERS
from annotator.builds.options import OWN, REPLACE, SHARED, BuildOptions, OptionError
from annotator.builds.preview import preview_build
from annotator.builds.services import write_dataset
from annotator.builds.verifying import verify_folder
from annotator.builds.writing import RISK, RISK_DATA, BuildRefused, ready_for
from annotator.core.agreement import Kind
from annotator.core.identifiers import ATTRIBUTE, LABEL, has_identifiers
from annotator.core.schema import schema_from_json
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.readings.models import Comparison, ReaderPair
from annotator.review.models import REVEALED, Decision, ReviewItem
from annotator.suggestions.models import LabelJob, Suggestion
from tests.builds.identified import FIRST, SECRETS, THIRD, identify, make_identified, quoted, read
from tests.builds.test_builds_writing import native_rows
from tests.cast import NOW, make_document, make_set

GOLDEN = Path(__file__).parent / "golden_deidentified"


@pytest.fixture
def notes(project: Project, bob: User) -> list[Document]:
    return make_identified(project, bob)


def written(project: Project, out: Path, *formats: str, **options: Any) -> dict[str, Any]:
    options = {"identifiers": REPLACE, "surrogates": SHARED, "shares": (100, 0, 0)} | options
    return write_dataset(
        project=project, name="Clinic letters", formats=formats or ("jsonl",), options=BuildOptions(**options), out=out
    )


def rows_of(folder: Path) -> dict[str, dict[str, Any]]:
    """The notes by what they are: the first, second and third of the scene."""
    rows = native_rows(folder).values()
    names = {"Metformin": "first", "is gone": "second", "no fever": "third"}
    return {name: row for row in rows for part, name in names.items() if part in row["text"]}


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file with its bytes, and of archives their members."""
    for path in sorted(folder.iterdir()):
        yield path.name, path.read_bytes()
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    yield f"{path.name}/{name}", name.encode() + archive.read(name)


def test_no_identifier_stands_in_any_byte_of_any_format(
    project: Project, notes: list[Document], tmp_path: Path
) -> None:
    written(project, tmp_path / "out", *FORMATS)
    own = [secret.encode() for document in notes for secret in (document.public_id, document.sha256)]
    found = [
        (name, secret)
        for name, content in contents(tmp_path / "out")
        for secret in (*(one.encode() for one in SECRETS), *own)
        if secret in content.lower()
    ]
    assert not found


def test_parquet_and_docbin_hold_no_identifier_either(project: Project, notes: list[Document], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    written(project, tmp_path / "out", "parquet")
    told = json.dumps(parquet.read_table(tmp_path / "out" / "train.parquet").to_pylist(), default=str).casefold()
    assert "metformin" in told
    assert not [secret for secret in SECRETS if secret in told]


def test_the_files_of_a_dataset_that_keeps_them_do_hold_them(
    project: Project, notes: list[Document], tmp_path: Path
) -> None:
    written(project, tmp_path / "out", identifiers="keep", surrogates=OWN)
    told = (tmp_path / "out" / "train.jsonl").read_text().casefold()
    assert [secret for secret in SECRETS if secret not in told] == []


def test_files_are_those_of_the_golden_folder(
    project: Project, bob: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.filter(pk=bob.pk).update(public_id="bobbobbobbobbob2")
    Project.objects.filter(pk=project.pk).update(public_id="projectproject22")
    bob.refresh_from_db()
    project.refresh_from_db()
    make_identified(project, bob)
    for number, document in enumerate(Document.objects.order_by("pk"), start=2):
        Document.objects.filter(pk=document.pk).update(public_id=f"noteofmarginali{number}")
    monkeypatch.setattr("annotator.builds.deidentifying.surrogate_key", lambda **_: b"golden")
    written(project, tmp_path / "out", "jsonl", "brat")
    found = dict(contents(tmp_path / "out"))
    readable = {name.replace("/", "+"): content for name, content in found.items() if not name.endswith(".zip")}
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        for name, content in readable.items():
            (GOLDEN / name).write_bytes(content)
    assert readable.keys() == {path.name for path in GOLDEN.iterdir()}
    for name, content in readable.items():
        assert content.decode() == (GOLDEN / name).read_text(encoding="utf-8"), name


def test_every_span_reads_as_before_or_as_the_surrogate_it_lies_in(
    project: Project, notes: list[Document], tmp_path: Path
) -> None:
    manifest = written(project, tmp_path / "out")
    first = rows_of(tmp_path / "out")["first"]
    for span in first["spans"]:
        assert " ".join(first["text"][start:end] for start, end in span["fragments"]) == span["surface"]
    disease, pain, drug = (span["surface"] for span in first["spans"])
    assert (pain, drug) == ("chest pain", "Metformin 500 mg")
    assert re.fullmatch(r"[A-Z][a-z]+'s disease", disease)
    assert manifest["deidentification"]["spans"] == {"inside": 0, "widened": 0, "merged": 0}


def test_a_patient_is_one_person_in_all_notes(project: Project, notes: list[Document], tmp_path: Path) -> None:
    written(project, tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    said = re.match(r"Mrs (\w+) (\w+) 🤒, MRN: (\d{8}),", rows["first"]["text"])
    assert said is not None
    given, family, number = said.groups()
    assert f"for {given[0]}. {family} ({number})" in rows["second"]["text"]
    assert f"{family.upper()} is 90+" in rows["first"]["text"]
    assert "Known to [IDENTIFIER]." in rows["second"]["text"]
    assert rows["first"]["patient_id"] == rows["second"]["patient_id"] != rows["third"]["patient_id"]


def test_others_have_surrogates_of_their_own(project: Project, notes: list[Document], tmp_path: Path) -> None:
    written(project, tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    doctors = [re.search(r"Dr\. (\w+)", rows[name]["text"]) for name in ("first", "third")]
    assert len({found[1] for found in doctors if found}) == 2


def test_days_between_a_patients_dates_are_kept_over_notes(
    project: Project, notes: list[Document], tmp_path: Path
) -> None:
    written(project, tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    iso = re.search(r"\d{4}-\d{2}-\d{2}", rows["first"]["text"])
    numbers = re.search(r"(\d{2})/(\d{2})/(\d{4})", rows["second"]["text"])
    assert iso and numbers
    month, day, year = map(int, numbers.groups())
    assert date.fromisoformat(iso[0]) - date(year, month, day) == date(2019, 4, 11) - date(2019, 3, 20)
    assert date(year, month, day) != date(2019, 3, 20)
    named = date.fromisoformat(iso[0]) - timedelta(days=30)
    assert f"on {named:%A}, {named.day} {named:%B %Y}" in rows["first"]["text"]


def test_metadata_comments_and_the_marks_are_left_out(project: Project, notes: list[Document], tmp_path: Path) -> None:
    manifest = written(project, tmp_path / "out", "jsonl", "messages")
    rows = rows_of(tmp_path / "out").values()
    assert all(row["metadata"] == {} for row in rows)
    assert not any(span["label"] == LABEL for row in rows for span in row["spans"])
    assert not has_identifiers(schema_from_json(manifest["schema"]["definition"]))
    assert LABEL not in (tmp_path / "out" / "train.messages.jsonl").read_text()


def test_the_parts_are_those_of_the_dataset_that_keeps_identifiers(
    project: Project, bob: User, notes: list[Document], tmp_path: Path
) -> None:
    replaced = written(project, tmp_path / "replaced", shares=(50, 0, 50))
    for document in Document.objects.exclude(pk__in=[note.pk for note in notes]):
        Annotation.objects.filter(set__document=document).delete()
        document.annotation_sets.all().delete()
    kept = written(project, tmp_path / "kept", shares=(50, 0, 50), identifiers="keep", surrogates=OWN)
    for part in ("train", "test"):
        assert {**replaced["parts"][part], "n_spans": 0, "labels": 0} == {
            **kept["parts"][part],
            "n_spans": 0,
            "labels": 0,
        }


def test_only_notes_whose_identifiers_are_looked_for_and_decided_go_in(
    project: Project, notes: list[Document], tmp_path: Path
) -> None:
    suggestion = Suggestion.objects.filter(document=notes[2], label=LABEL).first()
    ReviewItem.objects.create(project=project, document=notes[2], suggestion=suggestion, unit="span", status="open")
    manifest = written(project, tmp_path / "out")
    assert manifest["n_notes"] == 2
    assert manifest["left_out"][NOT_READ] == 1
    assert manifest["left_out"][NOT_DECIDED] == 1
    assert manifest["left_out"]["not submitted"] == 1


def test_what_a_blind_reader_has_not_seen_is_not_decided(project: Project, notes: list[Document]) -> None:
    suggestion = Suggestion.objects.filter(document=notes[2], label=LABEL).first()
    ReviewItem.objects.create(
        project=project, document=notes[2], suggestion=suggestion, unit="span", status="closed", reason="unseen"
    )
    ready = ready_for(project=project, options=BuildOptions(identifiers=REPLACE))
    assert (ready.n_ready, ready.n_filtered[NOT_DECIDED]) == (2, 1)


def test_rejected_suggestions_are_not_replaced(
    project: Project, bob: User, notes: list[Document], tmp_path: Path
) -> None:
    Annotation.objects.filter(set__document=notes[2], surface="Quagmire").update(status="withdrawn")
    Annotation.objects.filter(set__document=notes[0], surface="Quagmire").update(status="withdrawn")
    written(project, tmp_path / "out")
    assert "Dr. Quagmire" in rows_of(tmp_path / "out")["third"]["text"]


def test_a_note_in_which_a_name_of_its_patient_still_stands_is_left_out(
    project: Project, notes: list[Document], tmp_path: Path
) -> None:
    Annotation.objects.filter(set__document=notes[1], surface="J. Carter").update(status="withdrawn")
    manifest = written(project, tmp_path / "out")
    assert manifest["left_out"][LEFTOVERS] == 1
    assert manifest["deidentification"]["leftovers"] == {"n_notes": 1, "n_places": 1}
    report = json.loads((tmp_path / "out" / RISK_DATA).read_text())
    assert report["leftovers"]["notes"] == {notes[1].public_id: 1}
    assert f"`{notes[1].public_id}`: 1" in (tmp_path / "out" / RISK).read_text()
    assert "second" not in rows_of(tmp_path / "out")
    assert not [
        secret for name, content in contents(tmp_path / "out") for secret in SECRETS if secret.encode() in content
    ]


def test_a_note_type_that_names_the_patient_is_a_leftover(
    project: Project, notes: list[Document], tmp_path: Path
) -> None:
    Document.objects.filter(pk=notes[1].pk).update(note_type="Letter to Carter")
    assert written(project, tmp_path / "out")["left_out"][LEFTOVERS] == 1


def test_nothing_is_written_where_every_note_has_leftovers(
    project: Project, notes: list[Document], tmp_path: Path
) -> None:
    Document.objects.update(note_type="Carter and Quagmire")
    with pytest.raises(BuildRefused, match="no note can go out: 3 in which"):
        written(project, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_refusal_says_what_the_notes_wait_for(
    project: Project, bob: User, notes: list[Document], tmp_path: Path
) -> None:
    LabelJob.objects.all().update(routed_at=None)
    with pytest.raises(BuildRefused, match="no note is ready: 1 not submitted yet; 4 whose identifiers no labeler"):
        written(project, tmp_path / "out")


def test_a_schema_without_the_label_is_refused(project: Project, bob: User, tmp_path: Path) -> None:
    make_set(make_document(project), bob)
    with pytest.raises(BuildRefused, match="no label Identifier"):
        written(project, tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"has_comments": True}, "comments quote"),
        ({"filters": Filters(labels=(LABEL,))}, "no spans of the label Identifier"),
        ({"identifiers": "keep"}, "surrogates are for datasets"),
        ({"identifiers": "hide"}, "identifiers are keep or replace"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        BuildOptions(**{"identifiers": REPLACE, "surrogates": SHARED, **options})


def test_options_that_keep_identifiers_say_nothing_of_them() -> None:
    assert "identifiers" not in BuildOptions().to_json()
    asked = BuildOptions(identifiers=REPLACE, surrogates=SHARED)
    assert BuildOptions.from_json(asked.to_json()) == asked


def test_the_projects_key_gives_the_same_bytes_and_one_of_its_own_others(
    project: Project, notes: list[Document], tmp_path: Path
) -> None:
    same = [written(project, tmp_path / f"same{n}", "jsonl", "brat") for n in range(2)]
    assert same[0] == same[1]
    assert dict(contents(tmp_path / "same0")) == dict(contents(tmp_path / "same1"))
    own = [written(project, tmp_path / f"own{n}", surrogates=OWN) for n in range(2)]
    assert len({found["deidentification"]["key"] for found in (same[0], *own)}) == 3
    ids = [set(native_rows(tmp_path / name)) for name in ("same0", "own0", "own1")]
    assert not ids[0] & ids[1] and not ids[1] & ids[2]


def test_the_key_is_the_projects_and_the_installations(project: Project, settings: Any) -> None:
    options = BuildOptions(identifiers=REPLACE, surrogates=SHARED)
    first = surrogate_key(project=project, options=options)
    assert surrogate_key(project=project, options=options) == first
    assert surrogate_key(project=Project(public_id="another"), options=options) != first
    settings.SECRET_KEY = "another"
    assert surrogate_key(project=project, options=options) != first


def test_the_index_is_in_the_order_of_its_ids_and_names_no_patient(
    project: Project, notes: list[Document], tmp_path: Path
) -> None:
    written(project, tmp_path / "before")
    Annotation.objects.filter(set__document=notes[2], surface="fever").update(status="withdrawn")
    written(project, tmp_path / "after")
    rows = [json.loads(line) for line in read_index(tmp_path / "before")]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert len({row["group"] for row in rows}) == 2
    found = note_differences(read_index(tmp_path / "before"), read_index(tmp_path / "after"))
    assert (found.n_same, found.notes["changed"], found.spans["removed"]) == (2, 1, 1)


def test_the_files_verify(project: Project, notes: list[Document], tmp_path: Path) -> None:
    manifest = written(project, tmp_path / "out", *FORMATS)
    assert verify_folder(tmp_path / "out").is_right
    assert {RISK, RISK_DATA} <= {file["name"] for file in manifest["files"]}


def test_the_report_counts_who_found_what(project: Project, notes: list[Document], tmp_path: Path) -> None:
    found = written(project, tmp_path / "out")["deidentification"]
    kinds = {"name": 6, "date": 4, "age": 1, "location": 1, "contact": 2, "number": 2, "other": 1}
    assert found["kinds"] == kinds
    # In each note the first six were suggested.
    assert found["found_by"] == {"accepted": 12, "edited": 0, "added": 5, "certificate": 0}
    assert found["missed_by_labeler"]["value"] == round(5 / 17, 4)
    assert found["two_looks"]["per_thousand"]["value"] is None
    assert found["agreement"] is None
    assert (found["n_notes"], found["n_patients"]) == (3, 2)


def test_card_and_report_say_that_some_may_be_left(project: Project, notes: list[Document], tmp_path: Path) -> None:
    written(project, tmp_path / "out")
    card, report = ((tmp_path / "out" / name).read_text() for name in ("README.md", RISK))
    assert "as far as they were found" in card and "protected health information" not in card
    assert "17 identifiers in 3 notes of 2 patients" in report
    assert "**Not known**: no note was read blind" in report
    assert "pseudonymised data" in report


def test_the_preview_says_why_notes_stay_out(project: Project, notes: list[Document]) -> None:
    found = preview_build(project=project, options=BuildOptions(identifiers=REPLACE), has_worker=True)
    texts = {check.text: check.count for check in found.checks}
    assert texts["Identifiers are looked for and decided"] == 3
    assert texts[f"Notes are left out, {NOT_READ}"] == 1


def test_the_preview_says_that_the_schema_has_no_label(project: Project, bob: User) -> None:
    make_set(make_document(project), bob)
    found = preview_build(project=project, options=BuildOptions(identifiers=REPLACE), has_worker=True)
    assert ("bad", "The schema has no label Identifier") in {(check.status, check.text) for check in found.checks}


def test_more_notes_take_no_more_queries(project: Project, bob: User, notes: list[Document], tmp_path: Path) -> None:
    with CaptureQueriesContext(connection) as few:
        written(project, tmp_path / "few")
    more = [
        make_document(project, external_id=f"more-{number}", patient_id=f"more-{number}", text=THIRD)
        for number in range(20)
    ]
    identify(project, *more)
    for document in more:
        read(document, bob)
    with CaptureQueriesContext(connection) as many:
        written(project, tmp_path / "many")
    assert len(many) == len(few)


def test_the_command_writes_it_and_says_what_is_left_out(
    project: Project, notes: list[Document], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("build_dataset", project.slug, "--out", str(tmp_path / "out"), "--deidentify")
    said = capsys.readouterr().out
    assert f"left out: 1 {NOT_READ}" in said
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["options"]["surrogates"] == OWN
    with pytest.raises(CommandError, match="surrogates are for datasets"):
        call_command("build_dataset", project.slug, "--out", str(tmp_path / "no"), "--same-surrogates")


def test_spans_that_become_one_are_one_and_keep_their_relations(
    project: Project, bob: User, notes: list[Document], tmp_path: Path
) -> None:
    document = make_document(project, external_id="n-9", patient_id="p-9", text="Known to Anna Quagmire, no fever.")
    text = document.text
    name = text.index("Anna")
    identify(project, document)
    make_set(
        document,
        bob,
        quoted(text, "Anna", "Problem"),
        quoted(text, "Quagmire", "Problem"),
        quoted(text, "fever", "Problem"),
        NewAnnotation(span=Span.of(name, name + 13), label=LABEL, attributes={ATTRIBUTE: "name"}),
        relations=[("seen with", 0, 1), ("seen with", 1, 2)],
    )
    manifest = written(project, tmp_path / "out")
    row = next(row for row in native_rows(tmp_path / "out").values() if row["text"].startswith("Known to"))
    one, fever = row["spans"]
    assert one["surface"] == row["text"][9 : row["text"].index(",")]
    assert (fever["surface"], [(tie["head"], tie["tail"]) for tie in row["relations"]]) == ("fever", [(0, 1)])
    assert manifest["deidentification"]["spans"] == {"inside": 2, "widened": 0, "merged": 1}


def test_what_is_left_is_estimated_from_notes_that_were_read_blind(
    project: Project, bob: User, notes: list[Document], tmp_path: Path
) -> None:
    more = [
        make_document(project, external_id=f"more-{number}", patient_id=f"more-{number}", text=FIRST)
        for number in range(12)
    ]
    identify(project, *more, n_found=6)
    for document in more:
        # Of eleven identifiers six were suggested; of these the reader had marked all but one on their own.
        read(document, bob)
        found = Annotation.objects.filter(set__document=document, label=LABEL, origin__isnull=False).order_by("pk")
        found.exclude(pk=found.first().pk).update(origin=None)
        item = ReviewItem.objects.create(
            project=project,
            document=document,
            unit="note",
            stream="blind",
            status="decided",
            reason=REVEALED,
            leased_by=bob,
        )
        Decision.objects.create(
            project=project,
            note_item=item,
            reviewer=bob,
            verdict="note_done",
            stream="blind",
            idempotency_key=f"done-{document.pk}",
            asked_sha256="0" * 64,
            decided_at=NOW,
        )
    looks = written(project, tmp_path / "out")["deidentification"]["two_looks"]
    assert (looks["n_notes"], looks["n_both"], looks["n_only_labeler"], looks["n_only_person"]) == (12, 60, 12, 60)
    # (72 + 1) (120 + 1) / (60 + 1) - 1 are all, of which 132 were found.
    assert looks["per_thousand"]["value"] == round(1000 * (73 * 121 / 61 - 1 - 132) / 12, 1)
    assert looks["per_thousand"]["interval"] is not None
    assert "identifiers in a thousand notes**, by estimate" in (tmp_path / "out" / RISK).read_text()


def test_agreement_on_identifiers_is_told(project: Project, bob: User, alice: User, tmp_path: Path) -> None:
    document = make_identified(project, bob)[2]
    pair = ReaderPair.objects.create(project=project, key="annotators a b", kind=Kind.ANNOTATORS.value)
    Comparison.objects.create(
        pair=pair, project=project, document=document, patient=1, counts={LABEL: [3, 2, 1, 2]}, at=NOW
    )
    found = written(project, tmp_path / "out")["deidentification"]["agreement"]
    assert found == {"n_notes": 1, "strict": 0.4, "overlap": 0.8}


def test_nothing_that_people_read_claims_more_than_it_can() -> None:
    root = Path(settings.BASE_DIR)
    folders = (root / "templates", root / "docs")
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in {".html", ".md", ".txt"}]
    assert len(files) > 100
    claims = re.compile(r"anonymi[sz]|anonymous", re.IGNORECASE)
    assert [path.name for path in (*files, *GOLDEN.iterdir()) if claims.search(path.read_text(encoding="utf-8"))] == []
