"""Term lists of the rule backend, and the search for their terms in a text.

Our own lists are the JSON files beside this module: `{"label": …, "kinds": {kind: [terms]}}`. A kind that ends in
`_abbreviation` is matched as written, every other without regard to case, with its plural, and with hyphens and
spaces as one. `stop.json` names what the dictionaries hold that in notes is seldom what the dictionary says:
analytes, foods, common words (`drug_stop`) and general words such as "disease" (`problem_stop`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

from llm_labeler.lexicon.dictionaries import disease_terms, drug_terms

LIST_NAMES = ("test", "procedure", "anatomy", "problem", "medication")
_WORD = re.compile(r"[^\W_]+(?:\.\d+)?")
# What may stand between two words of a term, and how it is written in the key.
_GAPS = {" ": " ", "-": " ", "\u2010": " ", "\u2011": " ", "\u2013": " ", "\n": " ", "- ": " "}
_GAPS |= {"/": "/", "&": "&", " & ": "&", "'": "'", "\u2019": "'"}
_MAX_WORDS = 8
# Short dictionary terms (up to four letters) are abbreviations, to be matched in capitals; these are words.
_SHORT_WORDS = frozenset(("acne", "coma", "cyst", "gout", "rash", "wart", "nevi", "stye", "pica", "bleb", "zona"))


@dataclass(frozen=True, slots=True)
class Match:
    """A place in a text that a term or a pattern claims; half-open, in code points."""

    start: int
    end: int
    label: str
    kind: str


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Terms by key; `reach` gives for a first word the number of words of the longest term that begins with it."""

    terms: dict[str, tuple[tuple[str, str], ...]]
    exact: dict[str, tuple[tuple[str, str], ...]]
    reach: dict[str, int]

    def find(self, text: str) -> list[Match]:
        """All terms in `text`, those inside longer ones included, in the order of their starts."""
        found: list[Match] = []
        words = [(match.start(), match.end(), match[0]) for match in _WORD.finditer(text)]
        for position, (start, end, word) in enumerate(words):
            reach = self.reach.get(word.lower(), 0)
            key, written = word.lower(), word
            for step in range(reach):
                if step:
                    next_start, next_end, next_word = words[position + step]
                    gap = _GAPS.get(text[end:next_start])
                    if gap is None:
                        break
                    key, written, end = f"{key}{gap}{next_word.lower()}", f"{written}{gap}{next_word}", next_end
                for label, kind in self.terms.get(key, ()):
                    if not kind.endswith("_short") or written.isupper() or key in _SHORT_WORDS:
                        found.append(Match(start, end, label, kind))
                found.extend(Match(start, end, label, kind) for label, kind in self.exact.get(written, ()))
                if position + step + 1 >= len(words):
                    break
        return found


@cache
def load_lexicon() -> Lexicon:
    """Our lists and the two dictionaries as one; read once per process (about 2 s and 90 MB)."""
    terms: dict[str, tuple[tuple[str, str], ...]] = {}
    exact: dict[str, tuple[tuple[str, str], ...]] = {}
    for name in LIST_NAMES:
        for label, kind, listed in _lists(name):
            for term in listed:
                if kind.endswith("_abbreviation"):
                    _add(exact, term_key(term, is_exact=True), label, kind)
                else:
                    for key in _with_plural(term_key(term)):
                        _add(terms, key, label, kind)
    _add_dictionary(terms, "Medication", drug_terms(), stop_terms("drug_stop"))
    _add_dictionary(terms, "Problem", disease_terms(), stop_terms("problem_stop"))
    reach: dict[str, int] = {}
    for key in [*terms, *(key.lower() for key in exact)]:
        words = _WORD.findall(key)
        reach[words[0]] = max(reach.get(words[0], 0), len(words))
    return Lexicon(terms=terms, exact=exact, reach=reach)


@cache
def stop_terms(kind: str) -> frozenset[str]:
    """The keys of one list of `stop.json`."""
    return frozenset(filter(None, (term_key(term) for _, k, terms in _lists("stop") if k == kind for term in terms)))


def term_key(term: str, *, is_exact: bool = False) -> str | None:
    """`term` as `Lexicon.find` writes what it meets; None for a term that running text cannot hold."""
    key, end, n_words = "", 0, 0
    for match in _WORD.finditer(term):
        gap = _GAPS.get(term[end : match.start()]) if n_words else ""
        if gap is None or (not n_words and match.start()):
            return None
        key, end, n_words = key + gap + match[0], match.end(), n_words + 1
    if not n_words or n_words > _MAX_WORDS or term[end:]:
        return None
    return key if is_exact else key.lower()


def _lists(name: str) -> Iterator[tuple[str, str, list[str]]]:
    data = json.loads(resources.files(__package__).joinpath(f"{name}.json").read_text(encoding="utf-8"))
    for kind, terms in data["kinds"].items():
        yield data["label"], kind, terms


def _add_dictionary(
    terms: dict[str, tuple[tuple[str, str], ...]], label: str, pairs: Iterable[tuple[str, str]], stop: frozenset[str]
) -> None:
    for term, kind in pairs:
        key = term_key(term)
        if key is not None and len(key) > 2 and key not in stop and not key.isdigit():
            _add(terms, key, label, kind)


def _add(terms: dict[str, tuple[tuple[str, str], ...]], key: str | None, label: str, kind: str) -> None:
    """Adds the pair unless an earlier source already has the term under that label."""
    if key is None:
        return
    known = terms.get(key, ())
    if all(label != known_label for known_label, _ in known):
        terms[key] = (*known, (label, kind))


def _with_plural(key: str | None) -> tuple[str, ...]:
    if key is None:
        return ()
    last = key.rsplit(" ", 1)[-1]
    if len(last) < 4 or last.endswith(("s", "x", "ae", "i", "ing", "ed", "ness")) or not last.isalpha():
        return (key,)
    if last.endswith("y") and last[-2] not in "aeiou":
        return (key, key[:-1] + "ies")
    return (key, key + "s")
