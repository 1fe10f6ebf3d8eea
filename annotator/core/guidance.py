"""The passage of a guideline, which is Markdown, about one label: what a reviewer is shown beside a span; and examples
that are written into it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

PASSAGE_CHARS = 320
_TITLE_CHARS = 80
_READ_CHARS = 4 * PASSAGE_CHARS  # of what is shown; the patterns below are not made for more
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(?P<title>.*)")
_FENCE = re.compile(r" {0,3}(?:```|~~~)")
_BULLET = re.compile(r"[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+")
_RULE = re.compile(r"[ \t]*(?:[-*_=][ \t]*){3,}|[ \t]*[|:\- \t]{3,}")
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
_NUMBER = re.compile(r"[\d.)\s]+")
_STRONG = re.compile(r"\*\*(?=\S)([^*]+?)(?<=\S)\*\*|(?<!\w)__(?=\S)([^_]+?)(?<=\S)__(?!\w)")
_SENTENCE_END = re.compile(r"(?<!e\.g)(?<!i\.e)(?<!vs)[.!?][\"')\]]*(?=\s)")
_MARKS = re.compile(r"`+|\*+|(?<!\w)_+|_+(?!\w)")


@dataclass(frozen=True, slots=True)
class Passage:
    """What a guideline says of a label: the heading it stands under ('' where under none), and its words.

    `parts` are runs of plain text with whether they are strong; together at most PASSAGE_CHARS and an ellipsis.
    """

    title: str
    parts: tuple[tuple[str, bool], ...]

    @property
    def text(self) -> str:
        return "".join(part for part, _ in self.parts)


@dataclass(frozen=True, slots=True)
class _Section:
    title: str
    blocks: tuple[str, ...]


def passage_about(label: str, guideline: str) -> Passage | None:
    """The section whose heading names the label, else the paragraphs that name it; None where nothing does.

    A heading that is just the name comes before one that holds it with other words, and the name as it is written
    before the same word in small letters or the plural.
    """
    found = [section for section in _sections(guideline) if section.blocks]
    for pattern in _names(label):
        named = [section for section in found if pattern.search(section.title)]
        if named:
            title = _shortest(section.title for section in named)
            return _passage(title, next(section.blocks for section in named if section.title == title))
    for pattern in _names(label):
        said = [(section.title, block) for section in found for block in section.blocks if pattern.search(block)]
        if said:
            title = said[0][0]
            return _passage(title, tuple(block for under, block in said if under == title))
    return None


def example_line(words: str, *, label: str, instead: Collection[str]) -> str:
    """`- “nausea” → Symptom, not Problem`: an example as a guideline tells it."""
    other = f", not {' or '.join(instead)}" if instead else ""
    return f"- “{' '.join(words.split())}” → {label}{other}"


def with_example(guideline: str, *, label: str, line: str) -> str:
    """The guideline with the line at the end of the section whose heading names the label, or of a new one."""
    lines = guideline.split("\n")
    titles = _titles(lines)
    for pattern in _names(label):
        named = [title for title in titles.values() if pattern.search(title)]
        if named:
            heading = next(number for number, title in titles.items() if title == _shortest(named))
            end = next((number for number in titles if number > heading), len(lines))
            last = max(number for number in range(heading, end) if lines[number].strip())
            gap = [] if _BULLET.match(lines[last]) else [""]
            return "\n".join([*lines[: last + 1], *gap, line, *lines[last + 1 :]])
    return f"{guideline.rstrip()}\n\n## {label}\n\n{line}".lstrip()


def in_short(text: str, n_chars: int) -> str:
    """The text up to the last sentence end within `n_chars`, else up to a word; with an ellipsis where it is cut."""
    if len(text) <= n_chars:
        return text
    ends = [end.end() for end in _SENTENCE_END.finditer(text, 0, n_chars + 1)]
    cut = text[: ends[-1]] if ends else text[: max(text.rfind(" ", 0, n_chars), 0) or n_chars]
    return f"{cut.rstrip()} …"


def _names(label: str) -> tuple[re.Pattern[str], ...]:
    word = rf"(?<!\w){re.escape(label)}"
    return re.compile(rf"{word}(?!\w)"), re.compile(rf"{word}(?:s|es)?(?!\w)", re.IGNORECASE)


def _sections(guideline: str) -> Iterator[_Section]:
    """Each heading with the paragraphs and list items up to the next one."""
    title = ""
    blocks: list[str] = []
    lines: list[str] = []
    titles = _titles(guideline.split("\n"))

    def close() -> None:
        if lines:
            blocks.append(" ".join(lines))
            lines.clear()

    for number, line in enumerate(guideline.split("\n")):
        if _FENCE.match(line):
            continue
        is_heading = number in titles
        if is_heading or not line.strip() or _RULE.fullmatch(line):
            close()
        if is_heading:
            yield _Section(title, tuple(blocks))
            title, blocks = titles[number], []
        elif line.strip() and not _RULE.fullmatch(line):
            bullet = _BULLET.match(line)
            if bullet:
                close()
            lines.append(line[bullet.end() if bullet else 0 :].strip().removeprefix(">").strip())
    close()
    yield _Section(title, tuple(blocks))


def _titles(lines: Sequence[str]) -> dict[int, str]:
    """The headings by the number of their line, but for those in code."""
    titles = {}
    is_code = False
    for number, line in enumerate(lines):
        if _FENCE.match(line):
            is_code = not is_code
        elif not is_code and (heading := _HEADING.fullmatch(line)):
            titles[number] = _plain(heading["title"][:_TITLE_CHARS].rstrip(" \t#"))
    return titles


def _shortest(titles: Iterable[str]) -> str:
    """Of headings that name a label the one with least beside it."""
    return min(titles, key=lambda title: len(_NUMBER.sub("", title)))


def _passage(title: str, blocks: tuple[str, ...]) -> Passage:
    ended = (block if block[-1:] in {".", "!", "?", ":", ";"} else f"{block}." for block in blocks if block)
    text = _LINK.sub(r"\1", " ".join(" ".join(ended)[:_READ_CHARS].split()))
    return Passage(title=title, parts=tuple(_parts(in_short(text, PASSAGE_CHARS))))


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    at = 0
    for strong in _STRONG.finditer(text):
        yield _plain(text[at : strong.start()]), False
        yield _plain(strong[1] or strong[2]), True
        at = strong.end()
    yield _plain(text[at:]), False


def _plain(text: str) -> str:
    return _MARKS.sub("", _LINK.sub(r"\1", text))
