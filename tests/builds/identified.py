"""Notes full of identifiers, which a labeler has looked for and people have marked."""

from __future__ import annotations

from annotator.accounts.models import User
from annotator.annotations.services import NewAnnotation
from annotator.core.identifiers import ATTRIBUTE, FINDER, LABEL, with_identifiers
from annotator.core.schema import schema_from_json
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.projects.services import add_schema_version
from annotator.suggestions.models import LabelJob, Suggestion
from annotator.suggestions.recording import NewSuggestion, suggestion_row
from annotator.suggestions.services import LabelerSpec, import_run, labeler_for
from tests.cast import NOW, TIED_SCHEMA, make_document, make_set

FIRST = (
    "Mrs Jane Carter 🤒, MRN: 48151623, seen on Tuesday, 12 March 2019 at St Elsewhere Hospital.\n"
    "Carter's disease? No chest pain. Metformin 500 mg. Call (617) 555-2368 or jane.carter@clinic.example.\n"
    "CARTER is 93, sees Dr. Quagmire again on 2019-04-11."
)
SECOND = "Letter of 03/20/2019 for J. Carter (48151623): chest pain is gone. Known to the mayor."
THIRD = "Seen by Dr. Quagmire on 12 March 2019, no fever."
# The quotes that are marked in each note, with their kinds; a quote stands for the first place behind the one before.
MARKS = {
    FIRST: (
        *(("Jane Carter", "name"), ("48151623", "number"), ("12 March 2019", "date")),
        *(("St Elsewhere Hospital", "location"), ("Carter", "name"), ("(617) 555-2368", "contact")),
        *(("jane.carter@clinic.example", "contact"), ("CARTER", "name"), ("93", "age"), ("Quagmire", "name")),
        ("2019-04-11", "date"),
    ),
    SECOND: (*(("03/20/2019", "date"), ("J. Carter", "name"), ("48151623", "number"), ("the mayor", "other")),),
    THIRD: (("Quagmire", "name"), ("12 March 2019", "date")),
}
# What must stand in no file, in any case.
SECRETS = (
    *(
        "carter",
        "mrs jane",
        "48151623",
        "elsewhere",
        "555-2368",
        "clinic.example",
        "quagmire",
        "mayor",
        "12 march 2019",
    ),
    *("2019-04-11", "03/20/2019", "hospital-number", "p-carter", "p-nobody", "north wing"),
)


def marks(text: str) -> list[NewAnnotation]:
    """The identifiers of MARKS, in their places."""
    found, place = [], 0
    for quote, kind in MARKS.get(text, ()):
        start = text.index(quote, place)
        place = start + len(quote)
        span = Span.of(start, place)
        found.append(NewAnnotation(span=span, label=LABEL, attributes={ATTRIBUTE: kind}))
    return found


def quoted(text: str, quote: str, label: str) -> NewAnnotation:
    start = text.index(quote)
    return NewAnnotation(span=Span.of(start, start + len(quote)), label=label, attributes={})


def identify(project: Project, *documents: Document, n_found: int = 100) -> None:
    """A run of the labeler that looks for identifiers, which finds the first `n_found` of MARKS in each note."""
    version = project.schema_versions.latest("number")
    labeler = labeler_for(
        project=project,
        schema_version=version,
        spec=LabelerSpec(name="Identifiers", backend=FINDER, model_id="presidio", revision="1", prompt_digest=""),
        now=NOW,
    )
    found = []
    for document in documents:
        news = [
            NewSuggestion(
                span=mark.span,
                surface=mark.span.surface(document.text),
                label=LABEL,
                attributes=mark.attributes,
                alignment="exact",
                score=0.8,
            )
            for mark in marks(document.text)[:n_found]
        ]
        found.append((document.pk, [suggestion_row(new) for new in news]))
    import_run(project=project, labeler=labeler, suggestions=found, actor=None, now=NOW)
    LabelJob.objects.filter(document__in=documents, run__labeler=labeler).update(routed_at=NOW)


def read(document: Document, reader: User, *others: NewAnnotation) -> None:
    """A submitted reading with all identifiers of MARKS, those that were suggested as accepted, and `others`."""
    suggested = dict(Suggestion.objects.filter(document=document, label=LABEL).values_list("fragments", "pk"))
    identifiers = [
        NewAnnotation(span=mark.span, label=LABEL, attributes=mark.attributes, origin_id=suggested.get(str(mark.span)))
        for mark in marks(document.text)
    ]
    make_set(document, reader, *others, *identifiers)


def make_identified(project: Project, bob: User) -> list[Document]:
    """Two notes of one patient, one of another, and two that are not ready: not looked through, and not submitted."""
    schema = with_identifiers(schema_from_json(TIED_SCHEMA))
    add_schema_version(project=project, schema=schema, actor=None, now=NOW)
    texts = (("hospital-number-1", "p-carter", FIRST), ("hospital-number-2", "p-carter", SECOND))
    documents = [
        make_document(project, external_id=external_id, patient_id=patient, text=text, metadata={"place": "north wing"})
        for external_id, patient, text in (*texts, ("hospital-number-3", "p-nobody", THIRD))
    ]
    identify(project, *documents, n_found=6)
    first, second, third = documents
    disease = quoted(FIRST, "Carter's disease", "Problem")
    read(first, bob, disease, quoted(FIRST, "chest pain", "Problem"), quoted(FIRST, "Metformin 500 mg", "Medication"))
    read(second, bob, quoted(SECOND, "chest pain", "Problem"))
    read(third, bob, quoted(THIRD, "fever", "Problem"))
    make_set(make_document(project, external_id="hospital-number-4", patient_id="p-other", text="Fever."), bob)
    unread = make_document(project, external_id="hospital-number-5", patient_id="p-fifth", text="Nobody read it.")
    identify(project, unread)
    return documents
