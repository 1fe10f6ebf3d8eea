"""Names of one patient's notes and what stands for them, word by word: `Mrs Jane Carter`, `Carter's` and `J. Carter`
stay one person.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from annotator.core.keyed import Draws
from annotator.core.surrogate_words import FAMILY, FEMALE, MALE, word_set

_MARKS = "\u0300-\u036f"
WORD = re.compile(rf"[^\W\d_][^\W\d_{_MARKS}]*(?:[{_MARKS}]+[^\W\d_]*)*(?:['’][^\W\d_]+)*")
_FEMALE_TITLES = word_set("mrs ms miss mme frau madam dame lady sister señora")
_MALE_TITLES = word_set("mr sir herr brother señor")
_TITLES = word_set("dr doctor doc prof professor rev reverend father nurse mx consultant and or the of by")
# Words of names that say nothing of anybody, written small.
_PARTICLES = word_set("de da do dos del della der den di du la le van von zu zum y e bin ibn al el st")
# Degrees and the like, written large.
_DEGREES = word_set(
    "md do rn np pa phd dds dmd dpm mph msc bsc ba bs ma ms mbbs mbchb frcp frcs mrcp mrcs facp facs facc od lpn cna "
    "pt ot rd jr sr ii iii iv esq"
)
_DEGREES_ANYWAY = word_set("phd jr sr esq")
_ALL_TITLES = _FEMALE_TITLES | _MALE_TITLES | _TITLES
_GIVEN = {"female": FEMALE, "male": MALE, "": FEMALE + MALE}
_KNOWN = {name.casefold(): sex for sex, names in (("female", FEMALE), ("male", MALE)) for name in names}
_TRIES = 200
_HYPHENS = ("-", "\u2010", "\u2011")


class _Word(NamedTuple):
    """A word that names somebody, at its place in the surface, without its possessive."""

    start: int
    end: int
    text: str

    @property
    def key(self) -> str:
        return word_key(self.text)

    @property
    def is_initials(self) -> bool:
        return len(self.text) == 1 or (len(self.text) <= 3 and self.text.isupper() and not _sounds(self.text))


class Names:
    """What stands for each word of the names of one patient's notes.

    `surfaces` are all of them, `barred` words that no surrogate may be. The same surfaces give the same; where two
    words would get one surrogate, the later in the alphabet gets another.
    """

    def __init__(self, key: bytes, surfaces: Iterable[str], barred: Collection[str] = ()) -> None:
        self._key = key
        self._found: dict[str, str] = {}
        self._families: Counter[str] = Counter()
        self._sexes: dict[str, Counter[str]] = {}
        self._full: list[list[str]] = []
        for surface in sorted(set(surfaces)):
            self._learn(surface)
        words = {word.key for surface in surfaces for word in _words(surface)}
        self._taken = words | set(barred)
        for word in sorted(words):
            self._surrogate(word)

    def of(self, surface: str) -> str:
        """The surface with another name in the same form; '' where it has no word that names anybody."""
        words = list(_words(surface))
        said, reached = [], 0
        for word in words:
            said += [surface[reached : word.start], self._in_form(word, words)]
            reached = word.end
        rest = "".join([*said[::2], surface[reached:]])
        return "".join([*said, surface[reached:]]) if words and not any(map(str.isdigit, rest)) else ""

    def _learn(self, surface: str) -> None:
        """Which words are family names, and of which sex those before them are: what the full names tell."""
        words = [word for word in _words(surface) if not word.is_initials]
        if not words:
            return
        comma = surface.find(",")
        is_turned = comma >= 0 and words[0].end <= comma and any(word.start > comma for word in words)
        said = {word.casefold() for word in WORD.findall(surface)}
        sex = "female" if said & _FEMALE_TITLES else "male" if said & _MALE_TITLES else ""
        family = _joined_to(words, 0 if is_turned else len(words) - 1, surface)
        is_full = len(words) > 1
        if is_full:
            self._full.append([word.key for word in words])
        for word in words:
            votes = self._sexes.setdefault(word.key, Counter())
            if sex:
                votes[sex] += 1
            if is_full:
                self._families[word.key] += 1 if word in family else -1
            elif said & _ALL_TITLES:
                self._families[word.key] += 1

    def _in_form(self, word: _Word, words: list[_Word]) -> str:
        if word.is_initials and word.key not in self._families:
            others = {other.key for other in words if other is not word}
            return "".join(_in_case(self._initial(letter.casefold(), others), letter) for letter in word.text)
        return _in_case(self._surrogate(word.key), word.text)

    def _initial(self, letter: str, others: set[str]) -> str:
        """The first letter of what stands for the name that the initial is of, as far as that is known."""
        beside = [name for full in self._full if others & set(full) for name in full if name not in others]
        for names in (beside, list(self._sexes)):
            known = sorted(name for name in names if name.startswith(letter))
            if known:
                return self._surrogate(known[0])[0]
        return Draws(self._key, "initial", letter).of("ABCDEFGHJKLMNPRSTW")

    def _surrogate(self, word: str) -> str:
        if word not in self._found:
            draws = Draws(self._key, "name", word)
            pool = self._pool(word)
            drawn = (draws.of(pool) for _ in range(_TRIES))
            found = next((name for name in drawn if word_key(name) not in self._taken), "")
            self._found[word] = found or next(
                name for name in FAMILY[draws.below(len(FAMILY)) :] + FAMILY if word_key(name) not in self._taken
            )
            self._taken.add(word_key(self._found[word]))
        return self._found[word]

    def _pool(self, word: str) -> tuple[str, ...]:
        vote = self._families[word]
        if vote > 0 or (vote == 0 and word not in _KNOWN):
            return FAMILY
        votes = self._sexes.get(word, Counter())
        return _GIVEN[_KNOWN.get(word) or (votes.most_common(1)[0][0] if votes else "")]


def word_key(word: str) -> str:
    """The word without what makes no difference: case, how it is composed, apostrophes."""
    return unicodedata.normalize("NFKC", word).casefold().replace("’", "").replace("'", "")


def name_words(surface: str) -> list[str]:
    """The words of it that name somebody: no titles, degrees or particles."""
    return [word.text for word in _words(surface)]


def _words(surface: str) -> Iterator[_Word]:
    for found in WORD.finditer(surface):
        word = found[0]
        if len(word) > 2 and word[-2] in "'’" and word[-1] in "sS":
            word = word[:-2]
        small = word.casefold()
        is_degree = small in _DEGREES and (word.isupper() or small in _DEGREES_ANYWAY)
        is_particle = small in _PARTICLES and word.islower()
        if small not in _ALL_TITLES and not is_degree and not is_particle:
            yield _Word(found.start(), found.start() + len(word), word)


def _joined_to(words: list[_Word], at: int, surface: str) -> list[_Word]:
    """The word there, with those that hyphens tie to it."""
    first = last = at
    while first and surface[words[first - 1].end : words[first].start] in _HYPHENS:
        first -= 1
    while last + 1 < len(words) and surface[words[last].end : words[last + 1].start] in _HYPHENS:
        last += 1
    return words[first : last + 1]


def _sounds(word: str) -> bool:
    return len(word) > 2 and any(letter in "aeiouy" for letter in word.casefold())


def _in_case(name: str, like: str) -> str:
    if like.isupper() and len(like) > 1:
        return name.upper()
    return name.lower() if like.islower() else name
