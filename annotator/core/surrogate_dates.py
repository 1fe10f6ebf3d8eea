"""Dates moved by a number of days, in the form in which they were written: English ones, and those of numbers alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from annotator.core.surrogate_words import word_set

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?![^\W\d_])\.?"
)
WEEKDAY = (
    r"(?:mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
)
_ORDINAL = r"(?P<th>st|nd|rd|th)?"
_YEAR = r"(?P<mark>['’]?)(?P<year>\d{4}|\d{2})(?![\d:])"
_GAP = r"[\s\-/.,]*"
_PATTERNS = {
    "time": r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:[ap]\.?m\b\.?)?(?:z\b|[+-]\d{2}:?\d{2}\b)?"
    r"|\d{1,2}\s*[ap]\.?m\b\.?|(?:[01]\d|2[0-3])[0-5]\d\s*(?:h|hrs|hours)\b",
    "iso": r"(?P<year>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})(?!\d)",
    "numbers": r"(?P<a>\d{1,2})(?P<s>\s?[-/.]\s?)(?P<b>\d{1,2})(?P=s)(?P<year>\d{4}|\d{2})(?!\d)",
    "day first": rf"(?P<d>\d{{1,2}}){_ORDINAL}(?P<g>\s+(?:day\s+)?of\s+|{_GAP}){_MONTH}"
    rf"(?:(?P<h>{_GAP}(?:of\s+)?){_YEAR})?",
    "month first": rf"{_MONTH}(?P<g>[\s\-.,]*(?:the\s+)?)(?P<d>\d{{1,2}}){_ORDINAL}(?![\d:])"
    rf"(?:(?P<h>[\s.,/]+|-(?=\d{{4}})){_YEAR})?",
    "month": rf"{_MONTH}(?:(?P<h>{_GAP}(?:of\s+)?)(?P<mark>['’]?)(?P<year>\d{{4}}|(?<=['’])\d{{2}})(?!\d))?",
    "year, month": r"(?P<year>\d{4})(?P<s>[-/])(?P<m>\d{1,2})(?!\d)",
    "month, year": r"(?P<m>\d{1,2})(?P<s>[-/])(?P<year>\d{4})(?!\d)",
    # Two days before one month ("12-14 March") are none.
    "no year": rf"(?P<a>\d{{1,2}})(?P<s>[-/.])(?P<b>\d{{1,2}})(?!\d|(?:st|nd|rd|th)?{_GAP}(?:of\s+)?"
    rf"(?:{'|'.join(name[:3] for name in MONTHS)}))",
    "packed": r"(?P<packed>\d{8})(?!\d)",
    "year": r"(?P<year>(?:19|20)\d{2})(?!\d)",
    "weekday": rf"(?P<weekday>{WEEKDAY})(?![^\W\d_])",
}
_COMPILED = {name: re.compile(rf"(?<![^\W_])(?:{pattern})", re.IGNORECASE) for name, pattern in _PATTERNS.items()}
# "T" stands between the day and the hour of an ISO date.
_COMPILED["time"] = re.compile(rf"(?<![^\WTt_])(?:{_PATTERNS['time']})", re.IGNORECASE)
# What may stand beside a date without telling anything.
_BESIDE = word_set(
    "a an and around as at between born by circa date dob dod early end from hours hrs in late mid middle of on "
    "since start t the through till to until z"
)
_LETTERS = re.compile(r"[^\W\d_]+")
_MIDDLE = 15
# A number of two digits up to this one is a year of this century.
_PIVOT = 49


@dataclass(slots=True)
class Habits:
    """How dates are written: the day or the month first where both are numbers, and in which years they lie."""

    n_day_first: int = 0
    n_month_first: int = 0
    years: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, surfaces: Iterable[str]) -> Habits:
        found = cls()
        for surface in surfaces:
            for name in ("iso", "numbers", "day first", "month first", "no year"):
                match = _COMPILED[name].search(surface)
                if match is None:
                    continue
                said = match.groupdict()
                if said.get("year"):
                    found.years[_full_year(said["year"])] += 1
                if "a" in said:
                    found.n_day_first += int(said["a"]) > 12 >= int(said["b"])
                    found.n_month_first += int(said["b"]) > 12 >= int(said["a"])
                break
        return found

    @property
    def year(self) -> int | None:
        """The year that most dates lie in, the latest of several."""
        return max(self.years, key=lambda year: (self.years[year], year), default=None)


class Dates:
    """Moves dates by `days`. `is_day_first` says how `03/04` is read, `year` in which year a day without one lies. A
    date before the year `earliest`, which tells an age over 89, is not understood.
    """

    def __init__(self, *, days: int, is_day_first: bool, year: int, earliest: int = 1) -> None:
        self._by = timedelta(days=days)
        self._days = days
        self._is_day_first = is_day_first
        self._year = year
        self._earliest = earliest

    def of(self, surface: str) -> str:
        """The surface with its dates moved; '' where anything in it is not understood."""
        said: list[str] = []
        rest: list[str] = []
        at = n_found = 0
        while at < len(surface):
            found = self._at(surface, at)
            if found is None:
                said.append(surface[at])
                rest.append(surface[at])
                at += 1
                continue
            text, at, is_date = found
            said.append(text)
            rest.append(" ")
            n_found += is_date
        beside = "".join(rest)
        is_plain = all(word.casefold() in _BESIDE for word in _LETTERS.findall(beside))
        return "".join(said) if n_found and is_plain and not any(map(str.isdigit, beside)) else ""

    def _at(self, surface: str, at: int) -> tuple[str, int, bool] | None:
        """What stands for the date or time that begins there, where that ends, and whether it is a date."""
        for name, pattern in _COMPILED.items():
            match = pattern.match(surface, at)
            if match is None:
                continue
            if name == "time":
                return match[0], match.end(), False
            try:
                moved = _MOVES[name](self, match)
            except (ValueError, OverflowError):
                continue
            if moved:
                return moved, match.end(), True
        return None

    def _iso(self, found: re.Match[str]) -> str:
        new = self._moved(date(int(found["year"]), int(found["m"]), int(found["d"])))
        wide = len(found["m"]) == 2 or len(found["d"]) == 2
        month, day = (f"{new.month:02}", f"{new.day:02}") if wide else (str(new.month), str(new.day))
        return found["s"].join((f"{new.year:04}", month, day))

    def _numbers(self, found: re.Match[str]) -> str:
        is_day_first = self._reads_day_first(found)
        day, month = (found["a"], found["b"]) if is_day_first else (found["b"], found["a"])
        said = found.groupdict().get("year")
        new = self._moved(self._day(self._year, month, day) if said is None else _date(said, month, day))
        is_wide = "0" in (found["a"][0], found["b"][0]) or len(found["a"]) == len(found["b"]) == 2
        parts = [f"{part:02}" if is_wide else str(part) for part in (new.day, new.month)]
        if not is_day_first:
            parts.reverse()
        return found["s"].join([*parts, _year_like(new.year, said)] if said else parts)

    def _named(self, found: re.Match[str]) -> str:
        month = str(_month_number(found["month"]))
        said = found["year"]
        day = found["d"]
        new = self._moved(self._day(self._year, month, day) if said is None else _date(said, month, day))
        is_tight = not found["g"].strip("-/")
        is_wide = found["d"].startswith("0") or (is_tight and len(found["d"]) == 2)
        day = f"{new.day:02}" if is_wide else str(new.day)
        day += _ordinal(new.day, found["th"]) if found["th"] else ""
        name = _month_like(new.month, found["month"], is_tight=is_tight)
        # The point of an abbreviated month belongs to its match, not to its group.
        point = "." if found.string[found.end("month") : found.end("month") + 1] == "." else ""
        first = [day, found["g"], name + point]
        if found.start("d") > found.start("month"):
            gap = found.string[found.end("month") + len(point) : found.start("d")]
            first = [name + point, gap, day]
        return "".join([*first, found["h"] + found["mark"] + _year_like(new.year, said) if said else ""])

    def _month(self, found: re.Match[str]) -> str:
        said = found["year"]
        year = _full_year(said) if said else self._year
        new = self._moved(date(year, _month_number(found["month"]), _MIDDLE))
        point = "." if found.string[found.end("month") : found.end("month") + 1] == "." else ""
        name = _month_like(new.month, found["month"]) + point
        return name + (found["h"] + found["mark"] + _year_like(new.year, said) if said else "")

    def _month_of_year(self, found: re.Match[str]) -> str:
        new = self._moved(date(int(found["year"]), int(found["m"]), _MIDDLE))
        parts = [f"{new.month:02}" if len(found["m"]) == 2 else str(new.month), f"{new.year:04}"]
        if found.start("year") < found.start("m"):
            parts.reverse()
        return found["s"].join(parts)

    def _packed(self, found: re.Match[str]) -> str:
        digits = found["packed"]
        year = int(digits[:4])
        if 1900 <= year <= 2100:
            return f"{self._moved(date(year, int(digits[4:6]), int(digits[6:]))):%Y%m%d}"
        first, second, year = int(digits[:2]), int(digits[2:4]), int(digits[4:])
        is_day_first = first > 12 or (self._is_day_first and second <= 12)
        day, month = (first, second) if is_day_first else (second, first)
        new = self._moved(date(year, month, day))
        return f"{new:%d%m%Y}" if is_day_first else f"{new:%m%d%Y}"

    def _only_year(self, found: re.Match[str]) -> str:
        return f"{self._moved(date(int(found['year']), 7, 2)).year:04}"

    def _weekday(self, found: re.Match[str]) -> str:
        said = found["weekday"]
        number = next(n for n, name in enumerate(DAYS) if name.startswith(said[:3].casefold()))
        name = DAYS[(number + self._days) % 7]
        return _case_like(name if said.casefold().endswith("day") else name[:3], said)

    def _moved(self, day: date) -> date:
        if day.year < self._earliest:
            raise ValueError("a date that tells an age over 89")
        return day + self._by

    def _reads_day_first(self, found: re.Match[str]) -> bool:
        first, second = int(found["a"]), int(found["b"])
        if first > 12 or second > 12:
            return first > 12
        return self._is_day_first or "." in found["s"]

    def _day(self, year: int, month: str, day: str) -> date:
        """That day of the year; of the last leap year before it where it is a 29 February that the year lacks."""
        if int(month) == 2 and int(day) == 29:
            year -= next(back for back in range(9) if _is_leap(year - back))
        return date(year, int(month), int(day))


_MOVES: dict[str, Callable[[Dates, re.Match[str]], str]] = {
    "iso": Dates._iso,
    "numbers": Dates._numbers,
    "day first": Dates._named,
    "month first": Dates._named,
    "month": Dates._month,
    "year, month": Dates._month_of_year,
    "month, year": Dates._month_of_year,
    "no year": Dates._numbers,
    "packed": Dates._packed,
    "year": Dates._only_year,
    "weekday": Dates._weekday,
}


def _date(year: str, month: str, day: str) -> date:
    return date(_full_year(year), int(month), int(day))


def _full_year(said: str) -> int:
    year = int(said)
    return year if len(said) == 4 else year + (2000 if year <= _PIVOT else 1900)


def _year_like(year: int, said: str) -> str:
    return f"{year:04}" if len(said) == 4 else f"{year % 100:02}"


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _month_number(said: str) -> int:
    return next(n for n, name in enumerate(MONTHS, start=1) if name.startswith(said[:3].casefold()))


def _month_like(month: int, said: str, *, is_tight: bool = False) -> str:
    """The month's name, short where `said` is. May is both: short where nothing but a hyphen stands beside it."""
    name = MONTHS[month - 1]
    is_short = is_tight if said.casefold() == "may" else len(said) <= 4 and said.casefold() not in ("june", "july")
    return _case_like(name[:3] if is_short else name, said)


def _case_like(name: str, said: str) -> str:
    if said.isupper():
        return name.upper()
    return name if said.islower() else name.title()


def _ordinal(day: int, said: str) -> str:
    ending = "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return ending.upper() if said.isupper() else ending
