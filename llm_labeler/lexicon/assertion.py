"""Whether a problem is present, absent, possible, conditional, hypothetical, or somebody else's.

Cue words within a sentence, after NegEx (Chapman et al. 2001) and ConText (Harkema et al. 2009): a cue reaches
forwards or backwards to the end of its sentence or to a word that ends its scope; phrases that only look like a cue
("no increase", "not only") are skipped. In the first paragraph of a section on family history all is family, in one on
allergies what no other cue reaches is conditional.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from annotator.core.chunks import sentences
from annotator.core.sections import sections

PRESENT = "present"
# The nearest cue holds; of equally near ones the earlier of these. A relative outweighs every other cue.
PRECEDENCE = ("family", "absent", "hypothetical", "conditional", "possible")
_MAX_REACH = 160
_BLANK_LINE = re.compile(r"\n[ \t]*\n")

_PSEUDO = (
    r"no (?:significant |further |interval |new |acute )?(?:increase|change|improvement|worsening|progression|relief)"
    r"|no longer|not only|not certain (?:if|whether)|not necessarily|gram negative|no doubt|not (?:cause|drain)"
    r"|without (?:difficulty|any further delay|limitation)|as if|even if|no-one|no one|does not (?:smoke|drink)"
    r"|if (?:any|anything|possible|needed|necessary|appropriate)|no (?:problem|trouble) with|not told"
)
_ABSENT_BEFORE = (
    r"no|not|denies|denied|denying|deny|without|w/o|negative for|neg for|absence of|absent|free of|free from"
    r"|never had|never"
    r"|lack of|lacks|lacked|resolution of|resolved|no evidence of|no signs? of|no history of|nor|neither"
    r"|rules out|ruled out"
    r"|ruling out|fail(?:s|ed) to reveal|unremarkable for|exclude[sd]|excluding|nil|zero|\u00d8"
    r"|(?:did|do|does|could|was|were|is|are|has|have|had)n['\u2019]t|don['\u2019]t"
)
_NOT_FOUND = (
    r"not (?:seen|found|present|detected|identified|observed|noted|felt|demonstrated|visuali[sz]ed|evident|palpable)"
)
_ABSENT_AFTER = (
    rf"(?:was|were|is|are|has been|have been|been) (?:ruled out|excluded|negative|absent|denied|{_NOT_FOUND})"
    rf"|ruled out|excluded|{_NOT_FOUND}|:? ?(?:negative|absent|none|nil)|resolved|denied"
)
_POSSIBLE_BEFORE = (
    r"possible|possibly|probable|probably|presumed|presumptive|suspected|suspects?|suspicion (?:of|for)"
    r"|suspicious (?:of|for)"
    r"|concern (?:for|about|of)|concerning for|worrisome for|likely|(?:may|might|could) (?:have|be|represent|reflect)"
    r"|question of|questionable|cannot exclude|can ?not (?:be )?(?:exclude|rule out)|can['\u2019]t rule out"
    r"|not (?:been )?(?:excluded|ruled out)|to rule out|rule out|r/o|to exclude|suggest(?:s|ed|ing|ive of)?"
    r"|appears to be"
    r"|versus|vs\.?|differential(?: diagnos[ie]s)?(?: \w+){0,2}(?: of)?|ddx|(?:working|provisional) diagnosis|query"
    r"|(?:consistent|in keeping|compatible) with"
)
_POSSIBLE_AFTER = (
    r"(?:is|was|were|are|remains|has been) (?:suspected|possible|likely|probable|considered|questionable)"
    r"|not (?:excluded|ruled out)|(?:cannot|could not|can not) be (?:excluded|ruled out)|suspected|possible"
    r"|probable|likely"
    r"|(?:(?:is|are|was|very|less|highly) )*unlikely|less likely|vs\.?|versus|is debatable|\?"
)
_HYPOTHETICAL_BEFORE = (
    r"if|should (?:he|she|they|you|the patient|there|symptoms)|in case of|in the event of|return (?:for|if|with)"
    r"|call (?:for|if)|come back if|(?:watch|look)(?: out)? for|monitor(?:ed|ing)? for"
    r"|risks? (?:of|for|include[sd]?|including)|to prevent|prevention of|prophyla(?:xis|ctic)(?: \w+)? (?:for"
    r"|against|of)"
    r"|to avoid|precautions (?:for|against)|screen(?:ed|ing)? for|evaluat(?:e|ion) (?:for|of)|assess for"
    r"|test(?:ed|ing)? for"
    r"|in the absence of|unless|until|whether|potential (?:for|complications?)|(?:warned|advised) (?:about|of)"
    r"|(?:told|asks|asked) about|consent(?:ed)?(?: for)?|to report|for use in|safety[- ]net\w*(?: for)?"
    r"|surveillance for"
)
_HYPOTHETICAL_AFTER = r"prophylaxis|risks?|precautions|screening|prevention|pathway|cover"
_CONDITIONAL_BEFORE = (
    r"(?:on|with) exertion|exertional|when(?:ever)? (?:walking|climbing|lying|standing|coughing|eating|he|she"
    r"|exercising)"
    r"|allerg(?:y|ies|ic)(?: to)?|intolerances?|intolerant (?:of|to)|reacts? to|reaction to"
)
_EFFORT = (
    r"exertion|exercise|effort|activity|movement|walking|climbing(?: stairs)?|standing|lying(?: flat| down)?"
    r"|inspiration"
    r"|coughing|swallowing|eating|micturition|exposure"
)
_CONDITIONAL_AFTER = (
    rf"(?:only )?(?:on|upon|with|during|after|when) (?:(?:minimal|mild|moderate|strenuous|heavy|any"
    rf"|deep) )?(?:{_EFFORT})"
    r"|when(?:ever)? (?:he|she|they) \w+"
)
_FAMILY_BEFORE = (
    r"mother|father|brothers?|sisters?|siblings?|parents?|aunts?|uncles?|cousins?|grandmother|grandfather"
    r"|grandparents?|mom"
    r"|dad|twin|relatives?|half-brother|half-sister|nephew|niece|(?:daughter|son|child|children)(?= (?:has|had"
    r"|have|died))"
    r"|family (?:history|hx)(?: \w+)?(?: (?:of|for))?|fhx?|familial history of|runs in the family"
)
_ENDS_SCOPE = (
    r"but|however|except(?: for)?|although|though|yet|apart from|aside from|other than|which|who|that is|then"
    r"|secondary to"
    r"|due to|because(?: of)?|present(?:ed|s|ing)? with|complain(?:s|ed|ing) of|reports|reported|admits(?: to)?"
    r"|endorse[sd]"
    r"|develop(?:s|ed)|has|had|started|was started|given|still|with (?:the|a|an)|positive for|pos for|cause of"
    r"|source of"
    r"|and (?:is|was|has|had|reports|complains|developed|admits|endorses|the|a|an)|reveal(?:s|ed|ing)|show(?:s|ed"
    r"|ing)"
    r"|demonstrat(?:es|ed|ing)|since|followed by|c/o|h/o"
)


@dataclass(frozen=True, slots=True)
class _Cue:
    start: int
    end: int
    value: str
    reach: str  # "before", "after", or "" for an end of scope


def _cues_of(value: str, reach: str, pattern: str) -> tuple[str, str, re.Pattern[str]]:
    return value, reach, re.compile(rf"(?<![\w/-])(?:{pattern})(?![\w/])", re.IGNORECASE)


_CUES = (
    _cues_of("absent", "before", _ABSENT_BEFORE),
    _cues_of("absent", "after", _ABSENT_AFTER),
    _cues_of("possible", "before", _POSSIBLE_BEFORE),
    _cues_of("possible", "after", _POSSIBLE_AFTER),
    _cues_of("hypothetical", "before", _HYPOTHETICAL_BEFORE),
    _cues_of("hypothetical", "after", _HYPOTHETICAL_AFTER),
    _cues_of("conditional", "before", _CONDITIONAL_BEFORE),
    _cues_of("conditional", "after", _CONDITIONAL_AFTER),
    _cues_of("family", "before", _FAMILY_BEFORE),
    _cues_of("", "", _ENDS_SCOPE),
)
# What ends every scope; the words above do not end that of a relative ("her mother had").
_HARD_END = re.compile(
    r"[;)\u2022]| [-\u2013] |(?<!\w)(?:but|however|reports?|reported|says|said|noticed)(?!\w)", re.IGNORECASE
)
_QUESTION_MARK = re.compile(r"(?<!\w)\?{1,2} ?(?=\w)")
_PSEUDO_CUE = re.compile(rf"(?<!\w)(?:{_PSEUDO})(?!\w)", re.IGNORECASE)
_PATTERNS = (*(pattern for *_, pattern in _CUES), _HARD_END, _QUESTION_MARK, _PSEUDO_CUE)
PATTERN_TEXTS = tuple(pattern.pattern for pattern in _PATTERNS)
# How far a cue behind the problem may stand from it.
_MAX_AFTER = 24


class AssertionContext:
    """The cues of one text, found once; `value_at` answers for a place in it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._sentences = [(sentence.start, sentence.end) for sentence in sentences(text)]
        self._starts = [start for start, _ in self._sentences]
        self._cues: dict[int, list[_Cue]] = {}
        self._family: list[tuple[int, int]] = []
        self._allergies: list[tuple[int, int]] = []
        for section in sections(text):
            scope = (section.heading_end, _first_paragraph_end(text, section.heading_end, section.end))
            if "family" in section.key or section.key in ("fh", "fhx"):
                self._family.append(scope)
            elif "allerg" in section.key or "adverse reaction" in section.key:
                self._allergies.append(scope)

    def value_at(self, start: int, end: int) -> str:
        """The assertion of what stands at `start`-`end`: "present" where no cue reaches it."""
        if any(first <= start < last for first, last in self._family):
            return "family"
        found = list(self._values(start, end))
        if any(value == "family" for _, value in found):
            return "family"
        if not found and any(first <= start < last for first, last in self._allergies):
            return "conditional"
        return min(found, key=lambda pair: (pair[0], PRECEDENCE.index(pair[1])))[1] if found else PRESENT

    def _values(self, start: int, end: int) -> Iterator[tuple[int, str]]:
        """The cues that reach `start`-`end`, as distance and value; those behind it count as nearer."""
        index = bisect_right(self._starts, start) - 1
        if index < 0:
            return
        cues = self._sentence_cues(index)
        hard = [cue for cue in cues if cue.value == "hard"]
        soft = [cue for cue in cues if not cue.reach]
        for cue in cues:
            # A word right behind a cue belongs to it ("hasn't had"), except behind a relative ("mother reports").
            ends, gap = (hard, 0) if cue.value == "family" else (soft, 2)
            if cue.reach == "before" and cue.end <= start <= cue.end + _MAX_REACH:
                is_reached = not any(cue.end + gap <= other.start and other.end <= start for other in ends)
                distance = start - cue.end
            elif cue.reach == "after" and end <= cue.start <= end + _MAX_AFTER:
                is_reached = not any(end <= other.start < cue.start for other in ends) and self._is_near(end, cue.start)
                distance = cue.start - end - _MAX_AFTER - 1
            else:
                continue
            if is_reached:
                yield distance, cue.value

    def _is_near(self, end: int, cue_start: int) -> bool:
        between = self._text[end:cue_start]
        return "," not in between and "." not in between and not re.search(r"\band\b|\bor\b", between)

    def _sentence_cues(self, index: int) -> list[_Cue]:
        if index not in self._cues:
            self._cues[index] = list(self._found(*self._sentences[index]))
        return self._cues[index]

    def _found(self, start: int, end: int) -> Iterator[_Cue]:
        pseudo = [match.span() for match in _PSEUDO_CUE.finditer(self._text, start, end)]
        for value, reach, pattern in _CUES:
            for match in pattern.finditer(self._text, start, end):
                if not any(first <= match.start() < last for first, last in pseudo):
                    yield _Cue(match.start(), match.end(), value, reach)
        for match in _HARD_END.finditer(self._text, start, end):
            yield _Cue(match.start(), match.end(), "hard", "")
        for match in _QUESTION_MARK.finditer(self._text, start, end):
            yield _Cue(match.start(), match.end(), "possible", "before")


def _first_paragraph_end(text: str, start: int, end: int) -> int:
    """Where the first paragraph behind a heading ends: a heading that was not recognised may follow it."""
    indent = len(text[start:end]) - len(text[start:end].lstrip())
    blank = _BLANK_LINE.search(text, start + indent, end)
    return blank.start() if blank else end
