"""Tasks as Label Studio exports them (JSON, not JSON-MIN): what each person and each model says of a text.

Format: https://labelstud.io/guide/task_format. Offsets are half-open UTF-16 units of the text, CRLF counts two; the
quoted text of each region is checked. Regions of `labels` are spans, `choices` of a region attributes of its spans,
other `choices` labels of the note. What has no place here is counted by name.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

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
from annotator.core.spans import Span, SpanError, Utf16Offsets

MAX_VOICE = 120
_IDS = ("external_id", "note_id", "document_id", "doc_id", "id")
_MAX_KEPT = 500  # characters of a field of the task that is kept as metadata
_RELATED = "related"  # what a relation without a label is called
# How a dataset of ours is written for Label Studio, which has no span in pieces and one name for all that is chosen.
_NEXT_PIECE = "(next piece)"
_OURS = ("span_", "note_")


def parse_task(task: Mapping[str, Any], *, where: str, has_spans: bool) -> list[ForeignNote]:
    """The note of one task, once for each voice that speaks of it. Raises RowError."""
    data = task.get("data")
    if not isinstance(data, dict):
        if "annotation_id" in task or "annotator" in task:
            raise RowError("this is JSON-MIN, which has lost who annotated: export as JSON instead")
        raise RowError("'data' must be an object with the text")
    losses: Counter[str] = Counter()
    answers = _answers(task, losses) if has_spans else []
    key, text = _text(data, answers)
    id_key, external_id = _external_id(task, data)
    bare = ForeignNote(
        where=where,
        external_id=external_id,
        text=text,
        patient_id=_named(data, "patient_id"),
        note_type=_named(data, "note_type"),
        metadata=_metadata(data, {key, id_key, "patient_id", "note_type"}, losses),
        is_loose=True,
        losses=losses,
    )
    offsets = Utf16Offsets(text)
    found = [_said(bare, voice, answer, offsets, is_further=place > 0) for place, (voice, answer) in enumerate(answers)]
    return found or [bare]


# A voice with its annotation or prediction.
_Answer = tuple[Voice, Mapping[str, Any]]


def _answers(task: Mapping[str, Any], losses: Counter[str]) -> list[_Answer]:
    """What is said of the task: the newest annotation of each person, the newest prediction of each model."""
    found: dict[Voice, Mapping[str, Any]] = {}
    for answer in _objects(task, "annotations", *(["completions"] if "completions" in task else [])):
        if answer.get("was_cancelled"):
            losses["skipped annotations"] += 1
            continue
        losses["ground truth marks"] += bool(answer.get("ground_truth"))
        _keep(
            found, Voice(_person(answer.get("completed_by"))), answer, "earlier annotations of the same person", losses
        )
    for answer in _objects(task, "predictions"):
        name = answer.get("model_version")
        voice = Voice(_bounded(str(name)) if name not in (None, "") else "prediction", is_model=True)
        _keep(found, voice, answer, "earlier predictions of the same model", losses)
    losses["drafts"] += len(task.get("drafts") or ())
    return list(found.items())


def _keep(
    found: dict[Voice, Mapping[str, Any]], voice: Voice, answer: Mapping[str, Any], lost: str, losses: Counter[str]
) -> None:
    """Keep the answer, unless a newer one of the voice is kept."""
    before = found.get(voice)
    if before is not None:
        losses[lost] += 1
        if _age(answer) < _age(before):
            return
    found[voice] = answer


def _age(answer: Mapping[str, Any]) -> tuple[str, int]:
    id = answer.get("id")
    return str(answer.get("updated_at") or answer.get("created_at") or ""), id if isinstance(id, int) else 0


def _person(completed_by: Any) -> str:
    """What the person is called: an address where the export has one, else the number of the account."""
    if isinstance(completed_by, Mapping):
        completed_by = completed_by.get("email") or completed_by.get("username") or completed_by.get("id")
    if completed_by in (None, ""):
        return ""
    return _bounded(f"user {completed_by}" if isinstance(completed_by, int) else str(completed_by))


def _bounded(name: str) -> str:
    name = " ".join(name.split())
    if len(name) > MAX_VOICE or not name.isprintable():
        raise RowError(f"a name of who annotated must be at most {MAX_VOICE} printable characters")
    return name


def _objects(holder: Mapping[str, Any], *keys: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for key in keys:
        value = holder.get(key)
        if value is None:
            continue
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise RowError(f"{key!r} must be a list of objects")
        found += value
    return found


def _text(data: Mapping[str, Any], answers: Sequence[_Answer]) -> tuple[str, str]:
    """The key and the value of the text: `text`, or the one that a region's tag is named after, or the only one."""
    texts = {key: value for key, value in data.items() if isinstance(value, str) and key not in _IDS}
    tags = {str(result.get("to_name")) for _, answer in answers for result in _objects(answer, "result")}
    candidates = ["text", *sorted(tags & texts.keys()), *(texts if len(texts) == 1 else ())]
    key = next((key for key in candidates if key in texts), None)
    if key is None:
        raise RowError(
            "which field of 'data' is the text? It must be called 'text', or as the tag of the labelling configuration "
            f"that shows it; there are {len(texts)} fields with text"
        )
    return key, texts[key]


def _external_id(task: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[str, str]:
    for key, value in [*((key, data.get(key)) for key in _IDS), ("", task.get("id"))]:
        if isinstance(value, int | str) and not isinstance(value, bool) and str(value).strip():
            return key, checked_name("id", str(value))
    raise RowError("'id' is missing, in the task and in its 'data'")


def _named(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return checked_name(key, str(value)) if isinstance(value, int | str) and str(value).strip() else ""


def _metadata(data: Mapping[str, Any], but: set[str], losses: Counter[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in data.items():
        if key in but:
            continue
        if key == "metadata" and isinstance(value, dict):
            kept |= value
        elif isinstance(value, str | int | float | bool) and len(str(value)) <= _MAX_KEPT:
            kept[key] = value
        else:
            losses["long or nested fields of the data"] += value is not None
    return checked_metadata(kept)


def _said(
    bare: ForeignNote, voice: Voice, answer: Mapping[str, Any], offsets: Utf16Offsets, *, is_further: bool
) -> ForeignNote:
    """What one annotation or prediction says."""
    id = answer.get("id")
    at = f"{'prediction' if voice.is_model else 'annotation'} {id if isinstance(id, int) else str(id)[:20]}"
    # What is lost of the task as a whole is counted once.
    losses: Counter[str] = Counter() if is_further else Counter(bare.losses)
    results = _objects(answer, "result")
    regions = {str(each.get("id")) for each in results if each.get("type") == "labels"}
    attributes, document_labels = _choices(results, regions, losses)
    spans: list[ForeignSpan] = []
    places: dict[str, int] = {}
    further = _pieces(results)
    for number, result in enumerate(results):
        region = str(result.get("id"))
        if result.get("type") != "labels" or region in further:
            continue
        places.setdefault(region, len(spans))
        score = _score(result.get("score", answer.get("score")), losses) if voice.is_model else None
        where = f"{at}, result {number + 1}"
        found = _region(result, where, offsets, attributes.get(region, {}), score)
        spans += [_with_pieces(span, region, further, results, where, offsets) for span in found]
    return ForeignNote(
        where=f"{bare.where}, {at}",
        external_id=bare.external_id,
        text=bare.text,
        patient_id=bare.patient_id,
        note_type=bare.note_type,
        metadata=bare.metadata,
        spans=tuple(spans),
        relations=tuple(_relations(results, places, at, losses)),
        document_labels=document_labels,
        voice=voice,
        is_further=is_further,
        is_loose=True,
        losses=losses,
    )


def _pieces(results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """For each region that continues another one's span, that one."""
    return {
        str(result.get("to_id")): str(result.get("from_id"))
        for result in results
        if result.get("type") == "relation" and result.get("labels") == [_NEXT_PIECE]
    }


def _with_pieces(
    span: ForeignSpan,
    region: str,
    further: Mapping[str, str],
    results: Sequence[Mapping[str, Any]],
    at: str,
    offsets: Utf16Offsets,
) -> ForeignSpan:
    """The span with the regions that continue it, in their order."""
    if region not in further.values():
        return span
    following = {before: after for after, before in further.items()}
    by_id = {str(result.get("id")): result for result in results if result.get("type") == "labels"}
    fragments, surfaces = list(span.span.fragments), [span.surface]
    while (region := following.pop(region, "")) in by_id:
        (piece, *_) = _region(by_id[region], at, offsets, {}, None)
        fragments += piece.span.fragments
        surfaces.append(piece.surface)
    try:
        whole = Span(tuple(fragments))
    except SpanError as error:
        raise RowError(f"{at}: {error}") from error
    surface = " ".join(part for part in surfaces if part) if all(surfaces) else None
    return replace(span, span=whole, surface=surface)


def _choices(
    results: Sequence[Mapping[str, Any]], regions: set[str], losses: Counter[str]
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """The attributes of each region, and the labels of the note; all other kinds of results are counted."""
    attributes: dict[str, dict[str, str]] = {}
    document_labels: dict[str, str] = {}
    for result in results:
        kind = result.get("type")
        if kind in ("labels", "relation"):
            continue
        value = result.get("value")
        chosen = value.get("choices") if kind == "choices" and isinstance(value, Mapping) else None
        name = result.get("from_name")
        if not isinstance(chosen, list) or not chosen or not _is_label(name) or not all(map(_is_label, chosen)):
            losses[f"results of type {str(kind)[:30]}"] += 1
            continue
        losses["further choices of one question"] += len(chosen) > 1
        region = str(result.get("id"))
        holder = attributes.setdefault(region, {}) if region in regions else document_labels
        plain = next((str(name).removeprefix(start) for start in _OURS if str(name).startswith(start)), str(name))
        holder[plain] = chosen[0]
    return attributes, document_labels


def _region(
    result: Mapping[str, Any], at: str, offsets: Utf16Offsets, attributes: Mapping[str, str], score: float | None
) -> list[ForeignSpan]:
    """A span for each label of the region."""
    value = result.get("value")
    if not isinstance(value, Mapping):
        raise RowError(f"{at}: 'value' must be an object")
    ends: list[Any] = [value.get(key) for key in ("start", "end")]
    if not all(isinstance(end, int) and not isinstance(end, bool) for end in ends):
        raise RowError(f"{at}: 'start' and 'end' must be whole numbers; regions of HTML are not read")
    labels, surface = value.get("labels"), value.get("text")
    if not isinstance(labels, list) or not labels or not all(map(_is_label, labels)):
        raise RowError(f"{at}: 'labels' must be a list of labels of 1 to {MAX_LABEL} printable characters")
    if surface is not None and not isinstance(surface, str):
        raise RowError(f"{at}: 'text' must be a text")
    try:
        span = offsets.points(Span.from_pairs([ends]))
    except SpanError as error:
        raise RowError(f"{at}: {error}") from error
    return [
        ForeignSpan(where=at, span=span, label=label, surface=surface, attributes=attributes, score=score)
        for label in dict.fromkeys(labels)
    ]


def _relations(
    results: Sequence[Mapping[str, Any]], places: Mapping[str, int], at: str, losses: Counter[str]
) -> list[ForeignRelation]:
    found = []
    for number, result in enumerate(results):
        if result.get("type") != "relation" or result.get("labels") == [_NEXT_PIECE]:
            continue
        where = f"{at}, result {number + 1}"
        ends = [str(result.get(key)) for key in ("from_id", "to_id")]
        if not all(end in places for end in ends):
            losses["relations of regions that are no spans"] += 1
            continue
        direction = result.get("direction")
        head, tail = reversed(ends) if direction == "left" else ends
        if direction == "bi":
            losses["directions of relations that go both ways"] += 1
        labels = result.get("labels")
        for type in labels if isinstance(labels, list) and labels else [_RELATED]:
            if not _is_label(type):
                raise RowError(f"{where}: a relation's label has 1 to {MAX_LABEL} printable characters")
            found.append(
                ForeignRelation(where=where, type=type, head=places[head], tail=places[tail], may_be_left_out=True)
            )
    return found


def _score(value: Any, losses: Counter[str]) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value <= 1:
        losses["scores that are not between 0 and 1"] += 1
        return None
    return float(value)


def _is_label(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= MAX_LABEL and value.isprintable()
