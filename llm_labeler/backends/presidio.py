"""The `presidio` backend: identifiers found by Presidio with clinical recognisers, in the form of a model.

It reads the chunk out of the prompt and answers in the prompt's own format, as the `spacy` backend does. It looks for
the label of `core.identifiers` alone, and says nothing where the request does not have it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata, resources
from typing import Any

from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer.context_aware_enhancers import ContextAwareEnhancer
from presidio_analyzer.nlp_engine import NlpArtifacts, NoOpNlpEngine

from annotator.core.identifiers import ATTRIBUTE, KINDS, LABEL
from annotator.core.prompting import KIND_KEY, LABEL_KEY, START_KEY, TEXT_KEY, note_of
from llm_labeler import deid
from llm_labeler.backends import Answer, BackendError, Request, Token
from llm_labeler.deid import days, names, numbers, places
from llm_labeler.deid.rules import RULE

# A change to recognisers or to Presidio is a new revision, since a labeler must stay reproducible; a test holds the
# digest of the revision.
RULES_ID = "marginalia-identifiers"
RULES_REVISION = "1"
# Presidio's results below this are guesses by shape alone: any nine digits.
LEAST_SCORE = 0.35
# What a word of the context adds to a score, as far before a find as a line goes, and at most so many characters.
CONTEXT_ADDS, CONTEXT_REACH = 0.35, 50
_SOURCES = ("words.json", "words.py", "rules.py", "names.py", "days.py", "places.py", "numbers.py")


@dataclass(frozen=True, slots=True)
class Found:
    """An identifier: half-open in code points, its kind, Presidio's score, and the rule behind it."""

    start: int
    end: int
    kind: str
    score: float
    rule: str


class PresidioBackend:
    """Answers prompts with the identifiers in their chunk."""

    name = "presidio"
    model_id = RULES_ID
    revision = RULES_REVISION
    device = "CPU"
    group_size = 32

    def __init__(self, engine: AnalyzerEngine) -> None:
        self._engine = engine

    def find(self, text: str) -> list[Found]:
        """The identifiers in `text` by place; none lies over another."""
        results = self._engine.analyze(text=text, language="en", score_threshold=LEAST_SCORE)
        return apart(_found(result) for result in results)

    def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
        """One answer a request, given `n` times: rules do not vary."""
        return [[self._answer(note_of(request.messages), request.schema)] * request.n for request in requests]

    def _answer(self, text: str, schema: Mapping[str, Any]) -> Answer:
        attributes = _attributes(schema)
        pieces, logprobs = ["["], [0.0]
        for found in self.find(text) if attributes is not None else ():
            quote = json.dumps(text[found.start : found.end], ensure_ascii=False)
            hints: dict[str, Any] = {START_KEY: found.start, KIND_KEY: found.rule}
            if found.kind in (attributes or ()):
                hints = {ATTRIBUTE: found.kind, **hints}
            before = f'{{"{TEXT_KEY}":{quote},"{LABEL_KEY}":"'
            after = f'",{json.dumps(hints, ensure_ascii=False, separators=(",", ":"))[1:]}'
            pieces += [before if len(pieces) == 1 else f",{before}", LABEL, after]
            logprobs += [0.0, math.log(found.score), 0.0]
        pieces.append("]")
        logprobs.append(0.0)
        tokens = tuple(Token(piece, logprob) for piece, logprob in zip(pieces, logprobs, strict=True))
        return Answer(text="".join(pieces), tokens=tokens, finish_reason="stop")


class _WordsBefore(ContextAwareEnhancer):
    """Presidio's context words, looked for in the line before a find. Its own looks at lemmas, which a pipeline without
    a model does not have, and at all words of the text for each find.
    """

    def __init__(self) -> None:
        super().__init__(CONTEXT_ADDS, 0.4, CONTEXT_REACH, 0)

    def enhance_using_context(
        self,
        text: str,
        raw_results: list[RecognizerResult],
        nlp_artifacts: NlpArtifacts,
        recognizers: list[EntityRecognizer],
        context: list[str] | None = None,
    ) -> list[RecognizerResult]:
        words = {recognizer.id: recognizer.context or () for recognizer in recognizers}
        for result in raw_results:
            asked = words.get(result.recognition_metadata[RecognizerResult.RECOGNIZER_IDENTIFIER_KEY], ())
            before = text[max(result.start - CONTEXT_REACH, 0) : result.start].rpartition("\n")[2].casefold()
            if any(word in before for word in asked):
                result.score = min(result.score + self.context_similarity_factor, self.MAX_SCORE)
        return raw_results


def load(**unknown: Any) -> PresidioBackend:
    """The backend over Presidio with our recognisers and some of its own. Loads no model. Raises BackendError."""
    if unknown:
        raise BackendError(f"backend 'presidio' has no option {', '.join(sorted(unknown))}")
    recognizers = [names.NameRecognizer(), *days.recognizers(), *places.recognizers(), *numbers.recognizers()]
    for recognizer in recognizers:
        recognizer.load()
    nlp_engine = NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "none"}])
    return PresidioBackend(
        AnalyzerEngine(
            registry=RecognizerRegistry(recognizers=recognizers, supported_languages=["en"]),
            nlp_engine=nlp_engine,
            supported_languages=["en"],
            context_aware_enhancer=_WordsBefore(),
        )
    )


def apart(found: Iterable[Found]) -> list[Found]:
    """The finds by place, those that share a character made one: it covers both, and is what the better one is.

    Of several the longest is the better, then the best scored: a telephone number is no date, and a street named after
    somebody is an address. Nothing that was found is left uncovered.
    """
    joined: list[tuple[Found, int]] = []
    for one in sorted(found, key=lambda one: (one.start, -one.end, -one.score)):
        if not joined or one.start >= joined[-1][0].end:
            joined.append((one, one.end - one.start))
            continue
        held, length = joined[-1]
        better = (one.end - one.start, one.score) > (length, held.score)
        kept = one if better else held
        whole = replace(kept, start=held.start, end=max(held.end, one.end))
        joined[-1] = (whole, max(length, one.end - one.start))
    return [one for one, _ in joined]


def _found(result: RecognizerResult) -> Found:
    rule = result.recognition_metadata.get(RULE)
    kind = result.entity_type if rule else numbers.KIND_OF[result.entity_type]
    return Found(result.start, result.end, kind, result.score, rule or f"presidio_{result.entity_type.casefold()}")


def _attributes(schema: Mapping[str, Any]) -> Sequence[str] | None:
    """The kinds that an answer may name, without the default; None where the schema asks for no identifiers."""
    items = schema["items"]
    for form in items.get("anyOf", [items]):
        if LABEL in form["properties"][LABEL_KEY]["enum"]:
            allowed: Sequence[str] = form["properties"].get(ATTRIBUTE, {}).get("enum", ())
            return [kind for kind in allowed if kind in KINDS]
    return None


def rules_digest() -> str:
    """sha256, in hex, over our recognisers and the versions of the packages behind them."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update(resources.files(deid).joinpath(name).read_bytes())
    for package in ("presidio-analyzer", "phonenumbers"):
        digest.update(f"{package}=={metadata.version(package)}".encode())
    return digest.hexdigest()
