"""A note from a UIMA CAS in XMI, as INCEpTION and WebAnno export it.

Offsets are half-open UTF-16 units of the sofa's text, as Java counts. An annotation of a layer is a span: its label is
the feature `value` (or `label`, `entity`, `class`), else the layer's own name; its other plain features are attributes.
A layer with two features that refer to annotations (`Governor` and `Dependent`, or `source` and `target`) is a
relation. Tokens, sentences and what else a machine made for itself are passed over.
Notes of our own datasets say more of themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element

from annotator.core.foreign import (
    MAX_LABEL,
    ForeignNote,
    ForeignRelation,
    ForeignSpan,
    RowError,
    Voice,
    checked_metadata,
    checked_name,
)
from annotator.core.jsonl import json_object
from annotator.core.spans import Span, SpanError, Utf16Offsets

XMI = "{http://www.omg.org/XMI}"
_ID = f"{XMI}id"
_CAS = "{http:///uima/cas.ecore}"
_OURS = "{http:///marginalia.ecore}"  # of datasets of ours
_ENDS = (("Governor", "Dependent"), ("source", "target"), ("head", "tail"))
_LABELS = ("value", "label", "entity", "class")
_OWN = frozenset({"sofa", "begin", "end", "fragments", _ID})
# Of the machine, or of the layout; none of them is what a person says of the text.
_PASSED_OVER = frozenset(
    {"Token", "TokenForm", "Sentence", "Lemma", "Stem", "SurfaceForm", "Paragraph", "Div", "Heading"}
    | {"DocumentAnnotation", "DocumentMetaData", "CASMetadata", "TagsetDescription", "TagDescription"}
    | {"XmlElement", "XmlAttribute", "XmlTextNode", "XmlDocument", "PdfPage", "PdfChunk"}
    | {"FeatureDefinition", "LayerDefinition"}
)
_INITIAL, _CURATION = "INITIAL_CAS", "CURATION_USER"


def parse_cas(elements: Iterable[Element], *, where: str, has_spans: bool, file_name: str) -> list[ForeignNote]:
    """The note whose CAS has these elements, in the name of whom its file is called after. Raises RowError."""
    text: str | None = None
    title = ""
    kept: list[Element] = []
    about: Mapping[str, str] = {}
    document_labels: dict[str, str] = {}
    losses: Counter[str] = Counter()
    for element in elements:
        name = element.tag.rpartition("}")[2]
        if element.tag == f"{_CAS}Sofa" and (text is None or element.get("sofaID") == "_InitialView"):
            losses["further views of a document"] += text is not None
            text = element.get("sofaString")
        elif element.tag == f"{_CAS}Sofa":
            losses["further views of a document"] += 1
        elif element.tag == f"{_OURS}Note":
            about = element.attrib
        elif element.tag == f"{_OURS}NoteLabel":
            document_labels[element.get("name", "")] = element.get("value", "")
        elif name == "DocumentMetaData":
            title = element.get("documentTitle") or element.get("documentId") or ""
        elif not element.tag.startswith(_CAS) and name not in _PASSED_OVER and element.tag != f"{XMI}NULL":
            kept.append(element)
    if text is None:
        raise RowError("the CAS has no text: it must be saved with its document (sofaString)")
    document, voice, is_bare = _names(file_name, title)
    spans, places = _spans(kept, Utf16Offsets(text), losses)
    has_spans = has_spans and not is_bare
    relations = _relations(kept, places, losses)
    return [
        ForeignNote(
            where=where,
            external_id=checked_name("id", about.get("noteId", document)),
            text=text,
            patient_id=checked_name("patient_id", about["patientId"]) if about.get("patientId") else "",
            note_type=checked_name("note_type", about["noteType"]) if about.get("noteType") else "",
            metadata=checked_metadata(json_object(about["metadata"])) if about.get("metadata") else {},
            spans=tuple(spans) if has_spans else None,
            relations=tuple(relations) if has_spans else (),
            document_labels=document_labels if has_spans else {},
            voice=Voice(voice),
            is_loose=True,
            losses=losses,
        )
    ]


def _names(file_name: str, title: str) -> tuple[str, str, bool]:
    """The note's id, who annotated it, and whether nobody has: in a project's export a document has a folder, and each
    person a file, or a folder with one, in it.
    """
    path = PurePosixPath(file_name)
    person = path.stem
    folders = list(path.parent.parts)
    if folders and folders[-1] == person:
        folders.pop()
    for root in ("annotation", "curation"):
        if root in folders and folders.index(root) < len(folders) - 1:
            document = "/".join(folders[folders.index(root) + 1 :])
            is_bare = person == _INITIAL
            return _without_suffix(document), "" if is_bare else "curation" if person == _CURATION else person, is_bare
    return _without_suffix(title or person), "", False


def _without_suffix(name: str) -> str:
    return name[: -len(".txt")] if name.lower().endswith(".txt") else name


def _spans(
    elements: Sequence[Element], offsets: Utf16Offsets, losses: Counter[str]
) -> tuple[list[ForeignSpan], dict[str, int]]:
    """The spans, and the place of each annotation among them by its id."""
    found: list[ForeignSpan] = []
    places: dict[str, int] = {}
    pieces = {str(element.get(_ID)): element for element in elements if element.tag == f"{_OURS}Fragment"}
    for element in elements:
        layer = element.tag.rpartition("}")[2]
        begin, end = element.get("begin"), element.get("end")
        if _ends(element) or element.get(_ID) in pieces:
            continue
        if begin is None or end is None:
            losses[f"annotations without a place: {layer}"[:60]] += 1
            continue
        features = {key: value for key, value in element.attrib.items() if key not in _OWN}
        key = next((key for key in _LABELS if features.get(key)), "")
        label = " ".join((features.pop(key) if key else layer).split())
        at = f"annotation {str(element.get(_ID))[:20]} of layer {layer[:40]}"
        if len(label) > MAX_LABEL or not label.isprintable():
            raise RowError(f"{at}: a label has 1 to {MAX_LABEL} printable characters")
        losses["features with several values"] += len(element)
        try:
            of = [pieces[each] for each in element.get("fragments", "").split() if each in pieces] or [element]
            span = offsets.points(Span(tuple((int(one.attrib["begin"]), int(one.attrib["end"])) for one in of)))
        except SpanError as error:
            raise RowError(f"{at}: {error}") from error
        except ValueError:
            raise RowError(f"{at}: 'begin' and 'end' must be whole numbers") from None
        places[str(element.get(_ID))] = len(found)
        found.append(ForeignSpan(where=at, span=span, label=label, attributes=features))
    return found, places


def _ends(element: Element) -> tuple[str, str] | None:
    """What a relation joins; None for another annotation."""
    for head, tail in _ENDS:
        if element.get(head) and element.get(tail):
            return element.attrib[head], element.attrib[tail]
    return None


def _relations(elements: Iterable[Element], places: Mapping[str, int], losses: Counter[str]) -> list[ForeignRelation]:
    found = []
    for element in elements:
        ends = _ends(element)
        if ends is None:
            continue
        layer = element.tag.rpartition("}")[2]
        if not all(end in places for end in ends):
            losses["relations of annotations that are no spans"] += 1
            continue
        key = next((key for key in (*_LABELS, "DependencyType", "relation") if element.get(key)), "")
        type = " ".join((element.attrib[key] if key else layer).split())
        at = f"relation {str(element.get(_ID))[:20]} of layer {layer[:40]}"
        if len(type) > MAX_LABEL or not type.isprintable():
            raise RowError(f"{at}: a type has 1 to {MAX_LABEL} printable characters")
        head, tail = (places[end] for end in ends)
        found.append(ForeignRelation(where=at, type=type, head=head, tail=tail, may_be_left_out=True))
    return found
