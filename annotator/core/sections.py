"""Sections of a clinical note, by its headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Titles that are headings even with text behind them on the line, as `heading_key` writes them.
KNOWN_TITLES = frozenset(
    re.split(
        r"\s*[|\n]\s*",
        """
    a&p | a/p | abdominal exam | action plan | active medications | active problems | addendum | admission date
    admission diagnoses | admission diagnosis | admission exam | admission history | admission labs
    admission medications | adverse reactions | allergies | allergies and adverse reactions | allergy | anaesthesia
    anesthesia | assessment | assessment & plan | assessment and plan | assessment and recommendations
    assessment/plan | background | blood loss | brief history | brief hospital course | case history
    case presentation | case report | chief complaint | chief complaint/reason for visit | chief complaints
    clinical course | clinical findings | clinical history | clinical indication | clinical information
    clinical summary | code status | comments | comparison | complaint | complications | conclusion | conclusions
    condition at discharge | condition on discharge | consultation | consults | course | current medications | data
    date of admission | date of discharge | description | description of procedure | details of procedure | diagnoses
    diagnosis | diagnostic data | diagnostic studies | differential diagnosis | discharge condition | discharge date
    discharge diagnoses | discharge diagnosis | discharge disposition | discharge exam | discharge instructions
    discharge labs | discharge medications | discharge plan | discharge summary | discussion | disposition
    drug allergies | drug history | emergency department course | estimated blood loss | exam | examination
    family history | family medical history | fh | fhx | final diagnoses | final diagnosis | findings | follow up
    follow up instructions | follow-up | follow-up instructions | followup | general examination | gross description
    gynecologic history | history | history and physical | history of illness | history of past illness
    history of present illness | history of presenting complaint | history of the present illness | home medications
    hospital course | hospital course by problem | hospital medications | hpc | hpi | imaging | imaging studies
    immunisations | immunizations | impression | impression and plan | impression and recommendations
    impression/plan | indication | indication for procedure | indications | indications for procedure | instructions
    interim history | interval history | interventions | investigations | lab results | laboratory | laboratory data
    laboratory findings | laboratory results | laboratory studies | laboratory tests | labs
    major surgical or invasive procedure | management | medical decision making | medical history | medication
    medication list | medications | medications prior to admission | medicines | meds | mental status exam
    mental status examination | microbiology | narrative | neurologic exam | neurological exam
    neurological examination | nursing note | objective | observations | obstetric history | occupational history
    on examination | operation | operation performed | operative findings | operative note | operative procedure
    other history | outcome | past history | past medical and surgical history | past medical history
    past medical/surgical history | past ocular history | past psychiatric history | past surgical history | pathology
    pathology report | patient history | patient instructions | pe | pertinent results | physical exam
    physical examination | physical findings | plan | plan of care | pmh | pmhx | post-operative diagnosis
    postoperative course | postoperative diagnosis | pre-operative diagnosis | preoperative diagnosis
    preoperative history | present illness | presentation | presenting complaint | presenting complaints
    presenting history | presenting problem | previous history | primary diagnosis | principal diagnoses
    principal diagnosis | principal procedure | problem list | problems | procedure | procedure performed | procedures
    procedures performed | progress note | psh | psychiatric history | psychosocial | radiology | reason for admission
    reason for consult | reason for consultation | reason for examination | reason for referral | reason for visit
    recommendation | recommendations | report | result | results | review of systems | ros | secondary diagnoses
    secondary diagnosis | sh | shx | social and family history | social history | specimen | specimens | study
    subjective | summary | surgical history | surgical procedures | technique | therapy | treatment | treatment plan
    treatments | triage | vital signs | vitals | wound care | x-ray findings
        """.strip(),
    )
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MAX_TITLE_CHARACTERS = 64
_MAX_TITLE_WORDS = 8
# A longer line can only be "Title: text".
_MAX_HEADING_LINE = 200
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_MARKDOWN = re.compile(r"[ \t]{0,3}#{1,6}[ \t]+(?P<title>\S.*)")
_UNDERLINE = re.compile(r"[ \t]*(?:-{3,}|={3,}|\*{3,}|~{3,})[ \t]*$")
_TITLE_COLON = re.compile(
    r"[ \t]*(?P<title>[*_]{0,2}(?:\d{1,2}[.)][ \t]+)?[A-Za-z][^:\n]{0,80}?)[*_]{0,2}[ \t]{0,4}:[*_]{0,2}(?=\s|$)"
)
_CAPS = re.compile(r"[A-Z][A-Z &/,()'\u2019-]*")
_TABLE = re.compile(r"\t|\||\S {3,}\S")
_NUMBERING = re.compile(r"\d{1,2}[.)]\s+")
_QUALIFIER = re.compile(
    r"\s*(?:\([^()]*\)|(?:on|at|upon|prior to) (?:admission|discharge|transfer|arrival|presentation))$"
)
# Words that stand in capitals on a line of their own as a finding or a value.
_VALUES = _words(
    "normal negative positive none unknown abnormal nkda nka dnr dni stat pending stable yes no not done denied denies "
    "unremarkable intact clear present absent full code see below above end of report signed electronically"
)
_SMALL_WORDS = _words("a an and as at by for from in of on or per prior the to upon with without")


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a note, half-open in code points.

    `heading_start`-`heading_end` is the heading as written, its marks and colon included; empty, with an empty
    `title`, for text before the first heading. `title` is cleaned for display.
    """

    start: int
    end: int
    heading_start: int
    heading_end: int
    title: str

    @property
    def key(self) -> str:
        """The title as `heading_key` writes it."""
        return heading_key(self.title)


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    text: str  # without its line ending

    @property
    def is_blank(self) -> bool:
        return not self.text.strip()


@dataclass(frozen=True, slots=True)
class _Heading:
    line_start: int
    start: int
    end: int
    title: str


def sections(text: str) -> list[Section]:
    """The sections of `text`, which tile it; one without a title where it has no heading, none where it is empty.

    Recognised: `# Title`; a title underlined by `---` or `===`; a line in capitals that stands apart or is a known
    title; `Title:` alone on its line; `Title: text` where the title is known. Lines of tables and values such as
    `BP: 120/80` are not headings.
    """
    if not text:
        return []
    headings = list(_headings(text))
    if not headings:
        return [Section(0, len(text), 0, 0, "")]
    found: list[Section] = []
    first_start = headings[0].line_start
    if text[:first_start].strip():
        found.append(Section(0, first_start, 0, 0, ""))
    for position, heading in enumerate(headings):
        start = heading.line_start if position or found else 0
        end = headings[position + 1].line_start if position + 1 < len(headings) else len(text)
        found.append(Section(start, end, heading.start, heading.end, heading.title))
    return found


def heading_key(title: str) -> str:
    """`title` for comparison: lower case, one space between words, without numbering, marks and "on admission"."""
    key = " ".join(_NUMBERING.sub("", title.strip(" \t*_#:"), count=1).casefold().split())
    return _QUALIFIER.sub("", key) or key


def _headings(text: str) -> Iterator[_Heading]:
    lines = [_Line(match.start(), match[0].rstrip("\r\n")) for match in _LINE.finditer(text)]
    written = [line.text for line in lines if any(map(str.isalpha, line.text))]
    # In a note typed in capitals throughout, capitals say nothing.
    is_caps_telling = 2 * sum(line.isupper() for line in written) <= len(written) or len(written) < 4
    for position, line in enumerate(lines):
        if line.is_blank:
            continue
        stands_apart = position == 0 or lines[position - 1].is_blank or bool(_UNDERLINE.match(lines[position - 1].text))
        below = lines[position + 1] if position + 1 < len(lines) else None
        heading = _heading(line, below, stands_apart, is_caps_telling)
        if heading is not None:
            yield heading


def _heading(line: _Line, below: _Line | None, stands_apart: bool, is_caps_telling: bool) -> _Heading | None:
    is_short = len(line.text) <= _MAX_HEADING_LINE
    markdown = _MARKDOWN.match(line.text) if is_short else None
    if markdown and any(map(str.isalpha, markdown["title"])):
        return _made(line, markdown["title"], len(line.text))
    if is_short and _TABLE.search(line.text.strip()):
        return None
    is_underlined = is_short and below is not None and bool(_UNDERLINE.match(below.text))
    if (
        below
        and is_underlined
        and _is_titlelike(line.text)
        and (stands_apart or heading_key(line.text) in KNOWN_TITLES)
    ):
        return _made(line, line.text, below.start + len(below.text.rstrip()) - line.start)
    colon = _TITLE_COLON.match(line.text)
    if colon and len(colon["title"]) <= _MAX_TITLE_CHARACTERS:
        is_alone = not line.text[colon.end() :].strip()
        if _is_heading_before_colon(colon["title"], is_alone):
            return _made(line, colon["title"], colon.end())
        return None
    if _is_heading_line(line.text.strip(), stands_apart, is_caps_telling):
        return _made(line, line.text, len(line.text))
    return None


def _is_heading_before_colon(title: str, is_alone: bool) -> bool:
    key = heading_key(title)
    # "plan: start ..." within a paragraph is prose; headings begin with a capital.
    if key in KNOWN_TITLES:
        return title.strip("*_ ")[:1].isupper() or title.strip("*_ ")[:1].isdigit()
    return is_alone and _is_titlelike(title) and _NUMBERING.match(title) is None


def _is_heading_line(line: str, stands_apart: bool, is_caps_telling: bool) -> bool:
    if len(line) > _MAX_TITLE_CHARACTERS:
        return False
    if heading_key(line) in KNOWN_TITLES:
        return line.strip("*_").isupper() or (stands_apart and line.strip("*_ ")[:1].isupper())
    words = line.split()
    if not (stands_apart and is_caps_telling and _CAPS.fullmatch(line) and 2 <= len(words) <= _MAX_TITLE_WORDS):
        return False
    return sum(map(str.isalpha, line)) >= 6 and not any(word.strip(",()").casefold() in _VALUES for word in words)


def _is_titlelike(line: str) -> bool:
    """Whether a line reads as a title: a few capitalised words, no sentence, no value."""
    title = line.strip(" \t*_:")
    words = title.split()
    if not 0 < len(words) <= _MAX_TITLE_WORDS or len(title) > _MAX_TITLE_CHARACTERS or title[-1] in ".,;!?":
        return False
    if sum(map(str.isalpha, title)) < 3 or not title[0].isupper():
        return False
    return all(w[0].isupper() or not w[0].isalpha() or w.casefold() in _SMALL_WORDS or "/" in w for w in words)


def _made(line: _Line, title: str, end: int) -> _Heading:
    indent = len(line.text) - len(line.text.lstrip())
    shown = " ".join(_NUMBERING.sub("", title.strip(" \t*_#:"), count=1).strip(" \t*_#:").split())
    return _Heading(
        line_start=line.start,
        start=line.start + indent,
        end=line.start + (len(line.text[:end].rstrip()) if end <= len(line.text) else end),
        title=shown or title.strip(),
    )
