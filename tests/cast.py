"""The cast of the tests: one project, its people, and an outsider.

Alice leads the project, Bob annotates, Adam adjudicates, Dana exports datasets. Charlie belongs to another project
and must never see anything of this one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from annotator.accounts.models import User
from annotator.accounts.sessions import session_of
from annotator.annotations.models import AnnotationSet
from annotator.annotations.services import NewAnnotation, SetRows, annotation_row, import_sets, relation_row, value_row
from annotator.core.schema import Schema, schema_from_json
from annotator.documents.models import Document
from annotator.notices.models import Kind, Notice
from annotator.notices.services import notify
from annotator.projects.models import Membership, Project, SchemaVersion
from annotator.projects.services import create_project, set_member
from annotator.review.models import Round
from annotator.review.rounds import Chosen, create_round

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
TEXT = "Assessment: no chest pain. Diabetes, on metformin 500 mg twice daily.\nPlan: continue metformin."
SCHEMA: dict[str, Any] = {
    "labels": [
        {"name": "Problem", "definition": "A disease, symptom or finding.", "positive_examples": ["chest pain"]},
        {"name": "Medication", "definition": "A drug by any name.", "positive_examples": ["metformin"]},
    ],
    "attributes": [
        {
            "name": "assertion",
            "labels": ["Problem"],
            "values": [
                "present",
                {"name": "absent", "hotkey": "n", "glyph": "negated"},
                {"name": "possible", "hotkey": "p", "glyph": "possible"},
                {"name": "family", "hotkey": "f", "glyph": "family"},
            ],
        }
    ],
}
# The same with two types of relation and a label of the note.
TIED_SCHEMA: dict[str, Any] = SCHEMA | {
    "relations": [
        {"name": "treats", "definition": "What it is given for.", "heads": ["Medication"], "tails": ["Problem"]},
        {"name": "seen with", "definition": "Both in one finding."},
    ],
    "document_labels": [
        {"name": "smoking", "definition": "What is said of it.", "values": ["never", "former", "current"]},
        {"name": "pregnant", "definition": "Whether she is.", "values": ["no", "yes"]},
    ],
}
HTMX = {"HX-Request": "true"}
AfterCommit = Callable[[], AbstractContextManager[Any]]


class Bells(list[tuple[str, tuple[int, ...], str]]):
    """The bells rung, as (task, ids, queue). They ring after commit: `with bells.after_commit(): …`."""

    after_commit: AfterCommit

    def tasks(self) -> list[str]:
        return [task for task, _, _ in self]


def make_document(
    project: Project, *, text: str = TEXT, external_id: str = "note-1", patient_id: str = "", **fields: Any
) -> Document:
    """A stored note; its place in random orders is fixed by its external id."""
    key = int.from_bytes(hashlib.sha256(external_id.encode()).digest()[:6]) / 2**48
    return Document.objects.create(
        project=project,
        external_id=external_id,
        patient_id=patient_id,
        text=text,
        n_chars=len(text),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        **{"blind_key": key, "created_at": NOW, **fields},
    )


def make_set(
    document: Document,
    annotator: User,
    *news: NewAnnotation,
    relations: Sequence[tuple[str, int, int]] = (),
    values: Mapping[str, str] = MappingProxyType({}),
    now: datetime = NOW,
) -> AnnotationSet:
    """What the annotator says about the note, submitted; relations as (type, place of head, place of tail)."""
    version = document.project.schema_versions.latest("number")
    rows = [annotation_row(text=document.text, schema=version.schema, new=new) for new in news]
    said = SetRows(
        annotations=rows,
        relations=[relation_row(type, head=rows[a].public_id, tail=rows[b].public_id) for type, a, b in relations],
        values=[value_row(name, value) for name, value in values.items()],
    )
    import_sets(annotator=annotator, schema_version=version, sets=[(document.pk, said)], now=now)
    return AnnotationSet.objects.get(document=document, annotator=annotator)


def make_notice(project: Project, user: User, kind: Kind = Kind.ROLE, *, now: datetime = NOW, **fields: Any) -> Notice:
    """A notice of the user's, unread, as the service makes it."""
    with transaction.atomic():
        notify(users=[user.pk], kind=kind, project=project.public_id, actor=None, now=now, **fields)
    return user.notices.latest("pk")


def make_round(project: Project, actor: User, *readers: User, **fields: Any) -> Round:
    """A round over all notes that are free, which every one of `readers` reads."""
    asked: dict[str, Any] = {
        "name": "",
        "chosen": Chosen(),
        "readers": [(reader, None) for reader in readers],
        "n_readers": len(readers),
        "assistance": "shown",
        "draw": "random",
        "due_on": None,
        "seed": 7,
        "now": NOW,
    }
    return create_round(project=project, actor=actor, **{**asked, **fields})


def make_user(username: str, **fields: Any) -> User:
    """A user without a password: tests sign in with `sign_in`."""
    user = User(username=username, **fields)
    user.set_unusable_password()
    user.save()
    return user


def make_member(project: Project, username: str, role: Membership.Role) -> User:
    user = make_user(username)
    set_member(project=project, user=user, role=role, actor=None, now=NOW)
    return user


def body(response: Any) -> str:
    """The page with every run of white space as one space."""
    return " ".join(response.content.decode().split())


def sign_in(client: Client, user: User) -> Client:
    """The client, signed in without a password; its browser is known, as it is from the first request on."""
    client.force_login(user)
    session_of(user=user, session_key=str(client.session.session_key), agent="", now=timezone.now())
    return client


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def schema() -> Schema:
    return schema_from_json(SCHEMA)


@pytest.fixture
def alice(db: None) -> User:
    return make_user("alice")


@pytest.fixture
def alice_client(client: Client, alice: User) -> Client:
    return sign_in(client, alice)


@pytest.fixture
def project(alice: User, schema: Schema) -> Project:
    """Alice's project, with two labels and no note."""
    return create_project(name="Discharge notes", schema=schema, lead=alice, now=NOW)


@pytest.fixture
def schema_version(project: Project) -> SchemaVersion:
    return project.schema_versions.get()


@pytest.fixture
def bob(project: Project) -> User:
    return make_member(project, "bob", Membership.Role.ANNOTATOR)


@pytest.fixture
def adam(project: Project) -> User:
    return make_member(project, "adam", Membership.Role.ADJUDICATOR)


@pytest.fixture
def dana(project: Project) -> User:
    return make_member(project, "dana", Membership.Role.DATA_SCIENTIST)


@pytest.fixture
def other_project(db: None, schema: Schema) -> Project:
    """A project that nobody of the first one belongs to."""
    return create_project(name="Other notes", schema=schema, lead=None, now=NOW)


@pytest.fixture
def charlie(other_project: Project) -> User:
    """Leads the other project, and is an outsider here."""
    return make_member(other_project, "charlie", Membership.Role.LEAD)


@pytest.fixture
def bells(monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any) -> Bells:
    """Records the bells instead of sending them to a broker."""
    rung = Bells()
    rung.after_commit = lambda: django_capture_on_commit_callbacks(execute=True)
    monkeypatch.setattr("annotator.jobs.bell._send", lambda task, ids, queue: rung.append((task, ids, queue)))
    return rung
