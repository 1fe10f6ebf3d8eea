"""Notes that are read blind and gone through, or read with suggestions, by the services that the pages use."""

from __future__ import annotations

from annotator.accounts.models import User
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.review.leases import take_note
from annotator.review.models import Decision, ReviewItem
from annotator.review.services import Accept, Act, Add, FinishNote, Reject, Undo, decide
from tests.cast import NOW, make_document
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, suggest

PART, NOTHING = Span.of(METFORMIN.start, METFORMIN.start + 3), Span.of(0, 10)
# One found, one touched, one that is nothing; diabetes is missed.
SUGGESTED = [(CHEST_PAIN, "Problem", 0.9), (PART, "Medication", 0.6), (NOTHING, "Problem", 0.2)]


class Reading:
    """A note in the hands of its reader. Each act takes the seconds given."""

    def __init__(self, document: Document, reader: User) -> None:
        self.document, self.reader = document, reader
        self.item = take_note(document=document, reviewer=reader, now=NOW)
        self.n_acts = 0

    def do(self, act: Act, seconds: float | None = 1.0) -> Decision:
        self.n_acts += 1
        key = f"{self.document.public_id}-{self.n_acts}"
        return decide(note_item=self.item, reviewer=self.reader, act=act, key=key, now=NOW, active_seconds=seconds)

    def waiting(self) -> list[ReviewItem]:
        items = ReviewItem.objects.filter(document=self.document, slot=self.item.slot, unit="span", status="open")
        return list(items.select_related("suggestion", "document__project").order_by("pk"))

    def read_blind(self, *, add: float = 6.0, finish: float = 4.0) -> None:
        """The reader's own spans, submitted."""
        self.do(Add(METFORMIN, "Medication"), add)
        self.do(Add(DIABETES, "Problem"), add)
        self.do(FinishNote(), finish)

    def go_through(self) -> None:
        """Opened again, each suggestion decided as it should be, and submitted."""
        self.do(Undo(), 100.0)
        for item in self.waiting():
            is_right = item.suggestion is not None and item.suggestion.fragments == str(CHEST_PAIN)
            self.do(Accept(item) if is_right else Reject(item), 100.0)
        self.do(FinishNote(), 100.0)

    def read_with_suggestions(self, *, each: float = 1.0, finish: float = 2.0) -> None:
        for item in self.waiting():
            self.do(Accept(item), each)
        self.do(FinishNote(), finish)


def make_notes(project: Project, n: int, *, is_blind: bool, name: str = "") -> list[Document]:
    """Routed notes, two of a patient, in the blind stream or not, with SUGGESTED."""
    project.blind_percent = 100 if is_blind else 0
    project.save(update_fields=["blind_percent"])
    version = project.schema_versions.latest("number")
    documents = []
    for number in range(n):
        document = make_document(
            project, external_id=f"{name or is_blind}-{number:02}", patient_id=f"{name or is_blind}{number // 2}"
        )
        suggest(document, SUGGESTED, schema_version=version)
        documents.append(document)
    return documents


def read_blind(
    project: Project, reader: User, *, n: int, is_gone_through: bool = True, name: str = ""
) -> list[Document]:
    documents = make_notes(project, n, is_blind=True, name=name)
    for document in documents:
        reading = Reading(document, reader)
        reading.read_blind()
        if is_gone_through:
            reading.go_through()
    return documents
