"""Days as notes write them, and ages over 89.

A fraction that is a duration or a score is none: "3/12" is three months where nothing says that it is a day, "7/10" a
pain, "120/80" a pressure.
"""

from __future__ import annotations

from collections.abc import Iterator

import regex

from llm_labeler.deid.rules import Rule, RuleRecognizer, compiled
from llm_labeler.deid.words import MONTHS

_NAMES = {name: number for number, names in enumerate(MONTHS, 1) for name in names}
# A point after a short form may end the sentence: it counts where the date goes on.
_MONTH = "(?:" + "|".join(sorted((rf"{name}(?:\.(?=[ ]?\d))?" for name in _NAMES), key=len, reverse=True)) + ")"
_WEEKDAY = (
    r"(?:Mon(?:day)?|Tue(?:s(?:day)?)?|Wed(?:nesday)?|Thu(?:r(?:s(?:day)?)?)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)"
)
_BEFORE = rf"(?:\b{_WEEKDAY}\b\.?,?[ ]+(?:the[ ]+)?)?"
_YEAR = r"(?:(?:19|20)\d\d|['’]?\d\d)"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
# Not within a longer number, a ratio or a version.
_FREE = r"(?<![\d./-])(?<!\d[,:])"
_END = r"(?![\d/]|[.-]\d)"
# What says that a bare "4/11" is a day.
_CUE = (
    r"(?:\b(?:on|from|since|until|till|til|dated|date|dob|by|before|after|admitted|discharged|seen|reviewed|reported|"
    r"transcribed|visit|appt|appointment|due|due[ ]on|w/e|w/c|labs|bloods|of|and|&)\b:?[ ]{1,2}(?:the[ ]+)?|"
    rf"\b{_WEEKDAY}\b\.?,?[ ]+)"
)
_NO_DAY = r"(?![ ]*(?:ago|pain|score|doses?|cores?|nodes?|beats?|words|fingers?|of\b|mm|mg|ml|%|weeks?|months?|days?))"


def _numbers(match: regex.Match[str]) -> list[int]:
    return [int(part) for part in regex.findall(r"\d+", match["id"])]


def _is_day_and_month(day: int, month: int) -> bool:
    return 1 <= day <= 31 and 1 <= month <= 12


def _is_numeric(match: regex.Match[str]) -> bool:
    """Day, month, year in one of the orders that are written; neither 10-20-30 nor 1.2.3."""
    first, second, third = _numbers(match)[:3]
    if first > 31:
        return 1900 <= first < 2100 and _is_day_and_month(third, second)
    if not (_is_day_and_month(first, second) or _is_day_and_month(second, first)):
        return False
    return 1900 <= third < 2100 or (third < 100 and len(regex.findall(r"\d+", match["id"])[2]) == 2)


def _is_short(match: regex.Match[str]) -> bool:
    first, second = _numbers(match)
    return _is_day_and_month(first, second) or _is_day_and_month(second, first)


def _is_cued(match: regex.Match[str]) -> bool:
    """Of "since 3/12" or "by 2/52" nobody knows: weeks and days are none, and months only after a word for a day."""
    second = _numbers(match)[1]
    cue = match["cue"].strip(" :").casefold()
    if second in (7, 52) and "0" not in match["id"][:1] and cue not in ("on", "dated", "date", "dob"):
        return False
    if cue in ("of", "and", "&", "by", "after") and "0" not in (match["id"][0], match["id"].split("/")[1][0]):
        return False
    return _is_short(match)


def _is_compact(match: regex.Match[str]) -> bool:
    digits = match["id"]
    return _is_day_and_month(int(digits[6:]), int(digits[4:6]))


def _is_month(match: regex.Match[str]) -> bool:
    """ "may", "march", "mar", "dec" and "sun" in small letters are words: they count with an ordinal or a year."""
    month = match["month"].rstrip(".")
    if month.islower() and month in ("may", "march", "mar", "dec", "sep"):
        return bool(regex.search(r"\d(?:st|nd|rd|th)|\d{4}", match["id"]))
    return True


_NUMERIC = r"\d{1,2}(?P<sep>[/.\-])\d{1,2}(?P=sep)(?:\d{4}|\d\d)"
DATE_RULES = (
    Rule("date_numeric", compiled(rf"(?P<id>{_BEFORE}{_FREE}{_NUMERIC}){_END}"), 0.85, _is_numeric),
    Rule("date_iso", compiled(rf"{_FREE}(?P<id>(?:19|20)\d\d(?P<sep>[/.\-])\d{{1,2}}(?P=sep)\d{{1,2}}){_END}"), 0.9, _is_numeric),
    Rule(
        "date_words",
        compiled(
            rf"(?P<id>{_BEFORE}{_FREE}{_DAY}(?:[ ]+of)?(?:[ ]{{1,2}}|[-/.])?(?P<month>{_MONTH})(?!\p{{L}})"
            rf"(?:(?:,?[ ]{{1,2}}|[-/.]){_YEAR}(?![\d:/])|(?:19|20)\d\d(?!\d))?)",
            ignore_case=True,
        ),
        0.85,
        _is_month,
    ),
    Rule(
        "date_month_first",
        compiled(
            rf"(?P<id>{_BEFORE}(?<![\p{{L}}])(?P<month>{_MONTH})[ ]{{1,2}}(?:the[ ]+)?{_DAY}(?![\d:%/]|\.\d|[ ]*(?:mg|ml|mcg|units)\b)"
            rf"(?:(?:,[ ]{{0,2}}|[ ]){_YEAR}(?![\d:/]))?)",
            ignore_case=True,
        ),
        0.8,
        _is_month,
    ),
    Rule(
        "date_month_and_year",
        compiled(
            rf"(?<![\p{{L}}\d])(?P<id>(?P<month>{_MONTH})(?:[ ]of)?,?[ \-/]?(?:(?:19|20)\d\d|['’]\d\d))(?![\d:])",
            ignore_case=True,
        ),
        0.5,
        _is_month,
    ),
    Rule(
        "date_without_year",
        compiled(rf"(?P<cue>{_CUE}){_FREE}(?P<id>\d{{1,2}}/\d{{1,2}})(?![\d/]|\.\d){_NO_DAY}", ignore_case=True),
        0.55,
        _is_cued,
    ),
    Rule(
        "date_of_a_result",
        # "CT (14/3): …", "Labs 14/3: …", "14/3 16:42"
        compiled(rf"(?:(?<=\()(?P<id>\d{{1,2}}/\d{{1,2}})(?=\)[:;])|{_FREE}(?P<id>\d{{1,2}}/\d{{1,2}})(?=[ ]+\d\d:\d\d))"),
        0.5,
        _is_short,
    ),
    Rule(
        "date_after_weekday",
        compiled(rf"(?P<id>\b{_WEEKDAY}\b\.?,?[ ]+(?:the[ ]+)?{_DAY}(?:(?:st|nd|rd|th)|/\d{{1,2}}))(?![\d/:.])"),
        0.6,
    ),
    Rule("date_compact", compiled(r"(?<=\b(?:dob|date|d\.o\.b\.?|born)[: ]{1,3})(?P<id>(?:19|20)\d{6})\b", ignore_case=True), 0.6, _is_compact),
)  # fmt: skip


def _is_no_temperature(match: regex.Match[str]) -> bool:
    before = match.string[max(match.start("id") - 12, 0) : match.start("id")].casefold()
    return not regex.search(r"(?:\bt|temp|tmax|fever|of|°|spo2|sats?|o2)\W{0,3}$", before)


_OLD = r"(?:9\d|1[01]\d)"
AGE_RULES = (
    Rule(
        "age_years",
        compiled(
            rf"(?<![\d./-])(?P<id>{_OLD})(?=[ -]{{0,2}}(?:years?|yrs?|y)[ -]{{0,2}}(?:old|o\b|/o)|[ -]?y\.o\.|[ ]?y/o|[ -]?yo\b"
            r"|[ -]years?[ -]of[ -]age|[ ]?yr[ ](?:male|female|man|woman|lady|gentleman))",
            ignore_case=True,
        ),
        0.9,
    ),
    Rule(
        "age_said",
        compiled(rf"(?<=\b(?:age|aged|age:|age[ ]is|turned)[ ]{{1,3}})(?P<id>{_OLD})(?![\d./%-])", ignore_case=True),
        0.85,
    ),
    Rule("age_and_sex", compiled(r"(?<![\d./-])(?P<id>9\d)[ ]?(?:M|F)(?![\p{L}\d/])"), 0.6, _is_no_temperature),
)  # fmt: skip


def recognizers() -> Iterator[RuleRecognizer]:
    yield RuleRecognizer(kind="date", rules=DATE_RULES)
    yield RuleRecognizer(kind="age", rules=AGE_RULES)
