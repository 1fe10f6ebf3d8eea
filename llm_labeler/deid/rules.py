"""A recogniser that is a list of rules: a pattern, what it is worth, and what must hold of a match."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import regex
from presidio_analyzer import LocalRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

# Where a result keeps the name of the rule that found it.
RULE = "rule"


@dataclass(frozen=True, slots=True)
class Rule:
    """The group `id` of each match, or the whole where there is none, counts where `is_one` holds."""

    name: str
    pattern: regex.Pattern[str]
    score: float
    is_one: Callable[[regex.Match[str]], bool] = lambda match: True

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        group = "id" if "id" in self.pattern.groupindex else 0
        for match in self.pattern.finditer(text):
            if self.is_one(match):
                yield match.span(group)


class RuleRecognizer(LocalRecognizer):
    """Presidio's recogniser over rules of one kind; `kind` is one of `core.identifiers.KINDS`."""

    def __init__(self, *, kind: str, rules: Sequence[Rule]) -> None:
        super().__init__(supported_entities=[kind], name=kind)
        self._kind, self._rules = kind, rules

    def load(self) -> None:
        """Nothing is to be loaded."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        return [
            result_of(self, self._kind, start, end, rule.score, rule.name)
            for rule in self._rules
            for start, end in rule.places(text)
        ]


def result_of(
    recognizer: LocalRecognizer, kind: str, start: int, end: int, score: float, rule: str
) -> RecognizerResult:
    """A result that knows its rule."""
    return RecognizerResult(
        entity_type=kind,
        start=start,
        end=end,
        score=score,
        recognition_metadata={
            RecognizerResult.RECOGNIZER_NAME_KEY: kind,
            RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: recognizer.id,
            RULE: rule,
        },
    )


def compiled(pattern: str, *, ignore_case: bool = False) -> regex.Pattern[str]:
    """`pattern` with white space in it left out; `^` and `$` are those of a line."""
    return regex.compile(pattern, regex.VERBOSE | regex.MULTILINE | (regex.IGNORECASE if ignore_case else 0))
