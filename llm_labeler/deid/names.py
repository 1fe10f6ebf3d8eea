"""Names of people, by the words around them, and where they come again in the note.

A name is believed for what stands before or behind it: a title, a heading of a form, "seen by", "her husband", letters
of a profession, a date of birth, the foot of a letter. What is found so is then looked for in the whole note: the
surname alone, the first name alone, an initial with the surname, in capitals too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import regex
from presidio_analyzer import LocalRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from llm_labeler.deid.rules import compiled, result_of
from llm_labeler.deid.words import (
    CREDENTIALS,
    EPONYMS,
    NAMED_BY,
    NO_NAMES,
    RELATIVES,
    TITLES,
    WORDS_AS_WELL,
    listed,
    medical_words,
)

KIND = "name"
MOST_TOKENS = 5
MOST_LISTED = 12
_TOKEN = regex.compile(r"\p{Lu}[\p{L}\p{M}]*(?:['’\-](?![sS]\b)\p{L}[\p{L}\p{M}]*)*")
_PARTICLE = regex.compile(
    r"(?:van|der|den|de|von|zu|la|le|du|da|dos|del|di|bin|ibn|bint|al|el|ap|ab|ten|ter|y)[ ](?=\p{L})"
)
_GAP = regex.compile(r"[ \t\u00a0]{1,2}")
_ROLE = (
    r"(?:(?:the|his|her|their|our|my|a|an|by|with|named|called|attending|consultant|senior|junior|duty|on-call|on[ ]call|"
    r"ward|staff|charge|specialist|student|community|district|lead|nurse|sister|doctor|physician|surgeon|registrar|"
    r"resident|intern|fellow|pharmacist|physiotherapist|physio|midwife|therapist|social[ ]worker|key[ ]worker|"
    r"practitioner|dietitian|dietician|radiologist|pathologist|anaesthetist|anesthesiologist|psychiatrist|GP|PCP|SHO|SpR|"
    r"StR|RN|NP|PA|CNS|CPN|HCA|FY[12]|OT|PT|SW|MD|Med[ ]?Reg|ANP|SALT|house[ ]officer|colleague)[ ]+){0,4}"
)
_TITLED = compiled(
    rf"\b(?P<title>{TITLES})\b\.?[ \u00a0]{{1,2}}(?:(?:and|&)[ ](?:Mrs|Mr|Dr|Ms)\.?[ ])?\(?(?=\p{{Lu}}|(?:van|von|de|di|du|la|le|al|el|bin)[ ])"
)
_LOUD_TITLE = compiled(r"\b(?:MRS|MISS|DR|PROF)\.?[ ](?=\p{Lu}{2})")
# As well an image, and a disease.
_LOUD_WORD = compiled(r"\b(?:MR|MS)\.?[ ](?=\p{Lu}{3})")
_SISTER = compiled(
    r"\b(?:Sister|Midwife|Professor|Registrar|Consultant|Surgeon|Physio|Father|Rabbi|Imam|Pastor|Chaplain|Judge|Constable)[ ](?=\p{Lu})"
)
_FIELD_ALONE = compiled(
    r"(?:^|(?<=[\s(|;,/]))(?:sur-?name|fore-?names?|first[ ]name|last[ ]name|family[ ]name|given[ ]names?|middle[ ]name|"
    r"preferred[ ]name|known[ ]as|maiden[ ]name|a\.?k\.?a\.?|nok|n\.o\.k\.?|next[ ]of[ ]kin|nickname)\b[ ]{0,2}[:\-–]?[ ]{0,3}",
    ignore_case=True,
)
_FIELD = compiled(
    rf"(?:^|(?<=[\s(|;,/]))(?:(?:patient|pt|client|resident|full)(?:['’]s)?[ ]?name|name|patient|pt|client|resident|contact|"
    rf"emergency[ ]contact|guardian|carer|caregiver|{RELATIVES}|(?:named[ ]|usual[ ]|registered[ ])?gp|pcp|"
    r"consultant|cons|(?:first[ ]|lead[ ]|operating[ ])?surgeon|first[ ]assistant|assistants?|anaesthetist|anesthesiologist|attending|provider|"
    r"physician|clinician|doctor|nurse|named[ ]nurse|scrub[ ]nurse|referr(?:er|ing|ed[ ]by)(?:[ ](?:physician|doctor|clinician|gp))?|requested[ ]by|"
    r"requesting[ ](?:physician|clinician|doctor)|ordering[ ](?:physician|provider)|author|"
    r"reporter|operator|endoscopist|key[ ]?worker|care[ ]coordinator|social[ ]worker|case[ ]manager|therapist|interviewer|interpreter|"
    r"caller|informant|witness(?:es)?|attn|att|attention|re|cc|copies|copy[ ]to|c\.c\.|"
    r"signature|sign|signed|print[ ]name|printed)\b(?:[ ]\([^)\n]{1,20}\))?[ ]{0,2}[:;][ ]{0,3}"
    rf"(?:{_ROLE})(?:{TITLES}\.?[ ])?",
    ignore_case=True,
)
_BY = compiled(
    r"\b(?:(?:seen|reviewed|examined|assessed|dictated|typed|transcribed|written|signed|authenticated|verified|completed|reported|"
    r"performed|assisted|accompanied|brought[ ]in|witnessed|visited|interviewed|authori[sz]ed|prescribed|referred|requested|"
    r"called|counselled|counter-?signed|supervised|checked|administered|inserted|removed|prepared|approved|attended|"
    r"handed[ ]over|escorted|cared[ ]for|looked[ ]after|informed|phoned|telephoned|consented|operated[ ]on|led|chaired|electronically[ ]signed)"
    r"(?:[ ](?:and|&)[ ]\p{Ll}+)?[ ]{1,2}by|discussed[ ]with|discussion[ ]with|d/w|spoke(?:n)?[ ](?:to|with)|talked[ ]to|"
    r"handover[ ](?:from|to)|liaised[ ]with|case[ ]d/w|conversation[ ]with|call(?:ed)?[ ](?:from|to)|letter[ ](?:from|to)|"
    r"referral[ ](?:from|to)|under[ ]the[ ]care[ ]of|care[ ]of|interviewed|i[ ](?:reviewed|saw|met|spoke[ ]to)|met[ ]with|"
    r"dear|yours|thank[ ]you[ ]for[ ](?:referring|seeing)|told|named|called|known[ ]as|signed)"
    rf"[ ]{{0,2}}:?[ ]{{1,2}}(?:{_ROLE})(?:{TITLES}\.?[ ])?",
    ignore_case=True,
)
_RELATIVE = compiled(
    rf"\b{RELATIVES}(?:['’]s[ ]name[ ]is|[ ]is[ ](?:called|named)|[ ](?:called|named))?(?:,)?[ ]{{1,2}}\(?(?=\p{{Lu}})",
    ignore_case=True,
)
_RELATIVES = compiled(
    r"\b(?:children|sons|daughters|brothers|sisters|siblings|grandchildren|grandsons|granddaughters|twins|parents|carers|"
    r"friends)(?:,|:|[ ](?:are|called|named))?[ ]{1,2}(?=\p{Lu})",
    ignore_case=True,
)
_AT_WORK = compiled(
    r"\b(?:social[ ]worker|support[ ]worker|key[ ]?worker|case[ ]?worker|physio(?:therapist)?|pharmacist|midwife|nurse|practitioner|"
    r"student|registrar|consultant|surgeon|therapist|health[ ]visitor|dieti[tc]ian|psychologist|radiographer|paramedic|resident|"
    r"intern|fellow|attending|hospitalist|house[ ]officer|care[ ]coordinator|carer|chaplain|advocate|interpreter|PCP|GP|SHO|RN|NP|ANP|CNS|HCA|OT)"
    rf"\b,?[ ]{{1,2}}\(?(?:{TITLES}\.?[ ])?(?=\p{{Lu}})",
    ignore_case=True,
)
# From a name to the next one of a list: "Jane Hollis and Tom Hollis", "Ada (4) and Ben (7)".
_AND = compiled(rf"[ ]?(?:\([^)\n]{{1,24}}\)[ ]?)?(?P<by>,[ ]and|,|and|&|/)[ ]{{1,2}}(?!{TITLES}\b)(?=\p{{Lu}})")
_NAME = r"(?P<id>\p{Lu}[\p{L}\p{M}'’\-]*\.?(?:[ ](?:(?:van|der|den|de|von|la|le|bin|al|el|di|da)[ ]){0,2}\p{Lu}[\p{L}\p{M}'’\-]*\.?){1,3})(?![\p{L}\p{M}])"
_BEHIND = compiled(
    rf"{_NAME}(?=[ ]{{0,2}}(?:,[ ]?(?:{CREDENTIALS})|\((?:{CREDENTIALS}|(?:his|her|their|the|pt['’]?s)?[ ]?{RELATIVES}\b|NOK|next[ ]of[ ]kin|GP)"
    rf"|[ ](?:MD|DO|RN|FY[12]|PGY-?\d|LCSW|RGN|SHO|SpR|ANP|MRCP|FRCS|FRCP)\b))"
)
_BEFORE_ID = compiled(
    rf"{_NAME}(?=[ \t]{{0,4}}[,;|(\-–]?[ \t]{{0,4}}(?i:\(?(?:d\.?o\.?b\.?|date[ ]of[ ]birth|born|mrn|nhs|chi|hosp(?:ital)?[ ]no|unit[ ]no|"
    r"aged?[ ]\d|\d{1,3}[ -]?(?:y/?o\b|yo\b|yrs?\b|years?[ -]old)|\d{1,2}[/.]\d{1,2}[/.]\d{2,4})))"
)
_REVERSED = compiled(
    r"(?:^[ \t]*|\b(?i:name|patient|client|pt|re)\b[ ]{0,2}[:.]?[ ]{1,3})"
    r"(?P<id>\p{Lu}[\p{L}\p{M}'’\-]+(?:[ ]\p{Lu}[\p{L}\p{M}'’\-]+)?(?:,[ ]?|\^)\p{Lu}[\p{L}\p{M}'’\-]+(?:[ ^]\p{Lu}[\p{L}]*\.?)?)"
    r"(?=[ \t]*(?:$|[|;(]|[ ]{2}|\t|\d|(?i:mrn|dob|d\.o\.b|age|sex|male|female|nhs|hosp|unit|id)\b|[,;][ ](?i:dob|mrn|\d)))"
)
_SIGN_OFF = compiled(
    r"(?:yours[ ](?:sincerely|faithfully|truly)|(?:with[ ])?(?:kind|best|warm|many)?[ ]?(?:regards|wishes|thanks)|sincerely|many[ ]thanks)[,.]?[ \t]*\n"
    rf"(?:[ \t]*\n){{0,6}}[ \t]*(?:(?:{TITLES})\.?[ ])?(?=\p{{Lu}})",
    ignore_case=True,
)
_ABOVE_ROLE = compiled(
    rf"^[ \t]*(?:{TITLES}\.?[ ])?{_NAME}[ \t]*(?:,[^\n]{{0,40}})?\n(?=[ \t]*(?i:consultant|specialty|specialist|registrar|staff[ ]nurse|clinical|"
    r"senior|attending|resident|department|chief|professor|lead|gp\b|general[ ]practitioner|foundation|locum|advanced|social[ ]worker))"
)
_INITIALS = compiled(
    r"(?:\b(?:[Ss]igned(?:[ ]by)?|[Ii]nitials?|[Tt]ranscribed[^\n]{0,24}by|[Tt]yped[ ]by|[Dd]ictated[ ]by|RN|SN|S/N|HCA|Dr|sig|[Ee]ntered[ ]by|[Cc]hecked[ ]by|[Gg]iven[ ]by)[:.]?[ ]{1,2}|(?:^|[ ])[-–/][ ]?)"
    r"(?P<id>\p{Lu}\.?[ ]?\p{Lu}\.?(?:[ ]?\p{Lu}\.?)?)(?=[ \t]*[.,)]?[ \t]*$)"
)
_EPONYM_BEHIND = regex.compile(rf"(?:['’]s(?:[ -]\p{{L}}+)?|s)?[ -]{{1,2}}(?i:{NAMED_BY})")
_SENTENCE = regex.compile(r"(?:^|[.!?:]|\n|[-*•])[ \t\"'(]*\Z")
_WORD = regex.compile(r"\p{L}[\p{L}\p{M}]*(?:['’\-](?![sS]\b)\p{L}[\p{L}\p{M}]*)*")


@dataclass(frozen=True, slots=True)
class _Found:
    """A name where its surroundings say so; `tokens` are its words with more than a letter."""

    start: int
    end: int
    tokens: tuple[str, ...]
    score: float
    rule: str


class NameRecognizer(LocalRecognizer):
    """Presidio's recogniser of names of patients, relatives and staff."""

    def __init__(self) -> None:
        super().__init__(supported_entities=[KIND], name=KIND)

    def load(self) -> None:
        medical_words()

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        found = list(_believed(text))
        again = _again(text, found)
        return [result_of(self, KIND, place.start, place.end, place.score, place.rule) for place in (*found, *again)]


def _believed(text: str) -> Iterator[_Found]:
    """Names that something around them speaks for."""
    yield from _behind(text, _TITLED, "name_after_title", 0.9, 0.85, is_sure=True)
    yield from _behind(text, _LOUD_TITLE, "name_after_title", 0.85, 0.7, is_sure=True)
    yield from _behind(text, _LOUD_WORD, "name_after_title", 0.7, 0.5, is_loud=True)
    yield from _behind(text, _SISTER, "name_after_role", 0.7, 0.5)
    yield from _behind(text, _FIELD_ALONE, "name_in_field", 0.85, 0.65)
    yield from _behind(text, _FIELD, "name_in_field", 0.8, None)
    yield from _behind(text, _BY, "name_after_words", 0.75, 0.5)
    yield from _behind(text, _RELATIVE, "name_of_relative", 0.75, 0.6)
    yield from _behind(text, _RELATIVES, "name_of_relative", 0.7, 0.55)
    yield from _behind(text, _AT_WORK, "name_after_role", 0.65, None)
    yield from _behind(text, _SIGN_OFF, "name_under_letter", 0.85, 0.5)
    for pattern, rule, score in (
        (_BEHIND, "name_with_profession", 0.8),
        (_BEFORE_ID, "name_before_birth_or_number", 0.75),
        (_REVERSED, "name_reversed", 0.75),
        (_ABOVE_ROLE, "name_above_role", 0.7),
    ):
        for match in pattern.finditer(text):
            yield from _within(text, match.start("id"), match.end("id"), rule, score)
    for match in _INITIALS.finditer(text):
        if match["id"].replace(".", "").replace(" ", "") not in _NO_INITIALS:
            yield _Found(match.start("id"), match.end("id"), (), 0.4, "initials_in_signature")


# Two or three capitals at the end of a line that are no one's.
_NO_INITIALS = listed("no_initials")


def _behind(
    text: str,
    cue: regex.Pattern[str],
    rule: str,
    score: float,
    alone: float | None,
    *,
    is_sure: bool = False,
    is_loud: bool = False,
) -> Iterator[_Found]:
    """The names right behind the cue, and those that it is listed with: at `score` where they have two words, at `alone`
    where they have one; None: never.
    """
    for match in cue.finditer(text):
        place, worth, sure = match.end(), score, is_sure
        for _ in range(MOST_LISTED):
            name = _name_at(text, place, is_sure=sure)
            if name is None:
                break
            start, end, tokens, n_parts = name
            if n_parts > 1:
                yield _Found(start, end, tokens, worth, rule)
            elif alone is not None and (sure or _is_rare(tokens[0], is_loud=is_loud)):
                yield _Found(start, end, tokens, alone, rule)
            else:
                break
            another = _AND.match(text, end)
            if another is None or (another["by"] in (",", "/") and not _has_two_words(text, another.end())):
                break
            place, worth, sure = another.end(), min(score, 0.7), False


def _has_two_words(text: str, start: int) -> bool:
    name = _name_at(text, start, is_sure=False)
    return name is not None and name[3] > 1


def _within(text: str, start: int, end: int, rule: str, score: float) -> Iterator[_Found]:
    """The name that ends at `end`: of the words from `start` on those after the last that is none."""
    tokens = [(m.start(), m.end(), m[0]) for m in _WORD.finditer(text, start, end)]
    while tokens and _is_no_name(tokens[-1][2]):
        tokens.pop()
        end = tokens[-1][1] if tokens else start
    while any(_is_no_name(word) for _, _, word in tokens):
        last = max(place for place, (_, _, word) in enumerate(tokens) if _is_no_name(word))
        tokens = tokens[last + 1 :]
    while len(tokens) > 1 and tokens[-1][2].isupper() and 1 < len(tokens[-1][2]) < 6 and not tokens[-2][2].isupper():
        tokens.pop()
        end = tokens[-1][1]
    words = tuple(word for _, _, word in tokens if len(word) > 1 and word[0].isupper())
    if len(tokens) < 2 or not words or _EPONYM_BEHIND.match(text, end):
        return
    if not all(word.casefold() in medical_words() for word in words):
        is_initial = text[end - 1] == "." and len(tokens[-1][2]) == 1
        yield _Found(tokens[0][0], end if is_initial else tokens[-1][1], words, score, rule)


def _name_at(text: str, start: int, *, is_sure: bool) -> tuple[int, int, tuple[str, ...], int] | None:
    """The name that begins at `start`: its bounds, its words with more than a letter, and how many parts it has.

    `is_sure`: a title stands before it, so that it may be a month or a word of medicine.
    """
    position, end, n_parts = start, start, 0
    tokens: list[str] = []
    while n_parts < MOST_TOKENS:
        if (n_parts or is_sure) and (particle := _PARTICLE.match(text, position)):
            position = particle.end()
            continue
        token = _TOKEN.match(text, position)
        if token is None:
            break
        word = token[0]
        is_initial = len(word) == 1 or (
            len(word) == 2 and word.isupper() and text[token.end() : token.end() + 1] == " " and not tokens
        )
        if not is_initial and _stops(word, tokens, is_first=n_parts == 0, is_sure=is_sure):
            break
        if is_initial and n_parts and not _may_go_on(text, token.end()):
            break
        end = token.end()
        if len(word) == 1 and text[end : end + 1] == ".":
            end += 1
        n_parts += 1
        if len(word) > 1:
            tokens.append(word)
        position = end
        if text[position : position + 1] == "," and n_parts == 1 and word.isupper() and len(word) > 2:
            position += 1
        gap = _GAP.match(text, position)
        if gap is None:
            if len(word) == 1 and text[end - 1] == ".":
                continue
            break
        position = gap.end()
    if not tokens or (not is_sure and _EPONYM_BEHIND.match(text, end)):
        return None
    return start, end, tuple(tokens), n_parts


def _may_go_on(text: str, end: int) -> bool:
    """Whether a single capital in the middle of a name is an initial: more of a name, or the name's end, follows."""
    return bool(regex.match(r"\.?(?:[ ]\p{Lu}|[ ]*[,.;:)\n]|\Z)", text[end : end + 4]))


def _stops(word: str, before: list[str], *, is_first: bool, is_sure: bool) -> bool:
    """Whether the word is no part of the name that `before` begins."""
    if is_first and is_sure:
        return word.casefold() in _AFTER_TITLE
    if _is_no_name(word):
        return True
    if word.isupper() and len(word) < 5 and before and not before[-1].isupper():
        return True
    return not is_sure and word.casefold() in medical_words() and (is_first or not before)


# Behind a title, but no name.
_AFTER_TITLE = listed("after_title")


def _is_no_name(word: str) -> bool:
    plain = word.casefold()
    return len(plain) > 1 and plain in NO_NAMES


# Departments and those who work there.
_DEPARTMENT = regex.compile(
    r".*(?:olog(?:y|ist)|surgery|surgeons?|iatr(?:y|ics|ist)|therap(?:y|ist)|icine|aedics|opedics|etics|nursing)s?"
)


def _is_rare(word: str, *, is_loud: bool = False) -> bool:
    """Whether a single word may be a name although little speaks for it. `is_loud`: what it is in is in capitals."""
    plain = word.casefold()
    if len(plain) < 3 or (word.isupper() and not is_loud) or _DEPARTMENT.fullmatch(plain):
        return False
    return plain not in medical_words() and plain not in EPONYMS and not _is_no_name(word)


def _again(text: str, found: list[_Found]) -> Iterator[_Found]:
    """Where the words of the names come again."""
    scores: dict[str, float] = {}
    for name in found:
        if name.rule == "initials_in_signature":
            continue
        for token in name.tokens:
            plain = token.casefold()
            if len(plain) > 2 or (len(plain) == 2 and name.score > 0.8):
                scores[plain] = max(scores.get(plain, 0.0), name.score)
    if not scores:
        return
    taken = sorted((name.start, name.end) for name in found)
    place = 0
    for match in _WORD.finditer(text):
        while place < len(taken) and taken[place][1] <= match.start():
            place += 1
        if place < len(taken) and taken[place][0] <= match.start():
            continue
        score = scores.get(match[0].casefold())
        if score is None or not match[0][0].isupper() or not _is_mention(text, match):
            continue
        start = match.start()
        initial = regex.search(r"(?<![\p{L}\d.])\p{Lu}(?:\.[ ]?\p{Lu})?\.?[ ]\Z", text[max(start - 7, 0) : start])
        if initial:
            start -= len(initial[0])
        yield _Found(start, match.end(), (match[0],), min(score - 0.1, 0.75), "name_again")


def _is_mention(text: str, match: regex.Match[str]) -> bool:
    plain = match[0].casefold()
    if _EPONYM_BEHIND.match(text, match.end()):
        return False
    if plain in WORDS_AS_WELL or plain in NO_NAMES or plain in medical_words():
        before = text[max(match.start() - 40, 0) : match.start()]
        return not match[0].isupper() and not _SENTENCE.search(before)
    return True
