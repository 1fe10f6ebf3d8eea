"""The signals of a suggestion in words: what speaks against it first, then what speaks for it.

The bounds below choose words and nothing else: what a reviewer is told to look at. They are not fitted to anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from annotator.core.scoring import number
from annotator.core.wording import counted

# A score or confidence under the first is low, from the second on high.
LOW, HIGH = 0.6, 0.85
# A label, a beginning, an end or words below these probabilities are doubted.
UNSURE_LABEL, UNSURE_EDGE, UNSURE_WORD = 0.6, 0.5, 0.1
# A runner-up is named where it has a share of this at least.
RIVAL = 0.1
# A span that fewer readings found, or that a second labeler shares less of, is doubted.
FEW_READINGS, LITTLE_SHARED = 0.7, 0.5
LEXICON = "spacy"  # what the reader of dictionaries is called
_FOUND = {
    "exact": "Found in the note to the letter",
    "normalized": "Found but for case, spaces and signs",
    "fuzzy": "Found by near spelling only",
    "unaligned": "Not found in the note",
}


@dataclass(frozen=True, slots=True)
class Sign:
    """One line of the card: words, the figure behind them, and whether it speaks against the span."""

    words: str
    figure: str
    is_doubt: bool


@dataclass(frozen=True, slots=True)
class LabelShares:
    """How the model parted its belief among the labels: its own, the runner-up ('' where none is worth a name), others.

    The three parts are 1 together.
    """

    label: str
    share: float
    runner_up: str
    runner_up_share: float
    rest: float


def level(value: float) -> str:
    """`Low`, `Medium` or `High`, for a score or a confidence in [0, 1]."""
    return "Low" if value < LOW else "Medium" if value < HIGH else "High"


def second_reader(name: str) -> str:
    """What a second reader of that name is called."""
    return "the dictionaries" if name == LEXICON else "the second labeler"


def label_shares(*, label: str, signals: Mapping[str, Any]) -> LabelShares | None:
    """What the signals tell of the choice of the label; None where they tell nothing, or what cannot be."""
    share, margin, rival = number(signals, "label_share"), number(signals, "label_margin"), signals.get("runner_up")
    if share is None or margin is None or not 0.0 <= share <= 1.0:
        return None
    second = min(max(share - margin, 0.0), 1.0 - share)
    if not isinstance(rival, str) or not rival or second < RIVAL:
        return LabelShares(label, share, "", 0.0, 1.0 - share)
    return LabelShares(label, share, rival, second, 1.0 - share - second)


def signs(*, label: str, alignment: str, place: str, signals: Mapping[str, Any]) -> list[Sign]:
    """What `signals` say of a suggestion of `label`, doubts first; `place` is shown with how it was found.

    Signals that are missing, or no numbers, say nothing.
    """
    found = [
        *_of_label(label, signals),
        *_of_edges(signals),
        *_of_words(signals),
        *_of_readings(signals),
        *_of_others(label, signals),
        Sign(_FOUND.get(alignment, f"Found: {alignment}"), place, is_doubt=alignment != "exact"),
    ]
    return sorted(found, key=lambda sign: not sign.is_doubt)


def _of_label(label: str, signals: Mapping[str, Any]) -> Iterator[Sign]:
    kind, logprob = signals.get("kind"), number(signals, "label_logprob")
    is_unsure = logprob is not None and math.exp(min(logprob, 0.0)) < UNSURE_LABEL
    if isinstance(kind, str) and kind:
        words = "A kind of match that is often wrong" if is_unsure else "Kind of match"
        yield Sign(words, kind.replace("_", " "), is_unsure)
        return
    shares = label_shares(label=label, signals=signals)
    if shares is not None and shares.runner_up:
        words = f"The model hesitated between {label} and {shares.runner_up}"
        yield Sign(words, _against(shares.share, shares.runner_up_share), is_doubt=True)
    elif is_unsure and logprob is not None:
        yield Sign("The model was not sure of the label", _figure(math.exp(logprob)), is_doubt=True)


def _of_edges(signals: Mapping[str, Any]) -> Iterator[Sign]:
    for name, words in (
        ("start_logprob", "The model was not sure that a span begins here"),
        ("end_logprob", "The model was not sure where the span ends"),
    ):
        logprob = number(signals, name)
        if logprob is not None and math.exp(min(logprob, 0.0)) < UNSURE_EDGE:
            yield Sign(words, _figure(math.exp(logprob)), is_doubt=True)


def _of_words(signals: Mapping[str, Any]) -> Iterator[Sign]:
    least = number(signals, "quote_min_logprob")
    start = number(signals, "start_logprob")
    if least is not None and least != start and math.exp(min(least, 0.0)) < UNSURE_WORD:
        yield Sign("The model was not sure of a word in it", _figure(math.exp(least)), is_doubt=True)
    n_in_note, n_in_window = number(signals, "n_in_note"), number(signals, "n_occurrences")
    if n_in_note is not None and n_in_note > 1:
        is_doubt = n_in_window is not None and n_in_window > 1
        yield Sign(f"The same words occur {int(n_in_note):,} times in this note", "", is_doubt)


def _of_readings(signals: Mapping[str, Any]) -> Iterator[Sign]:
    n_readings, agreement = number(signals, "n_readings"), number(signals, "agreement")
    if n_readings is not None and agreement is not None:
        n_found, exact = round(agreement * n_readings), number(signals, "exact_agreement")
        words = f"{n_found} of {counted(int(n_readings), 'reading')} found it"
        if signals.get("is_sampled"):
            words += ", not the first"
        differs = exact is not None and round(exact * n_readings) < n_found
        yield Sign(words, "bounds differ" if differs else "", agreement < FEW_READINGS)
    yes = number(signals, "yes_share")
    if yes is not None:
        said = "no" if yes < UNSURE_EDGE else "yes"
        yield Sign(f"Asked again, the model said {said}", _figure(yes), is_doubt=said == "no")


def _of_others(label: str, signals: Mapping[str, Any]) -> Iterator[Sign]:
    name, share, other = signals.get("second"), number(signals, "second_share"), signals.get("second_label")
    if not isinstance(name, str) or share is None:
        return
    is_lexicon = name == LEXICON
    who = second_reader(name).capitalize()
    if isinstance(other, str) and other and other != label:
        yield Sign(f"{who} {'call' if is_lexicon else 'calls'} it {other}", "", is_doubt=True)
    elif share > 0:
        part = "it too" if share >= LITTLE_SHARED else "a part of it"
        yield Sign(f"{who} {'know' if is_lexicon else 'finds'} {part}", _figure(share), is_doubt=False)
    else:
        yield Sign(f"{who} {'do not know' if is_lexicon else 'does not find'} it", "", is_doubt=True)


def _figure(probability: float) -> str:
    return f"{probability:.2f}"


def _against(one: float, other: float) -> str:
    return f"{one:.2f} to {other:.2f}"
