"""What reviewers would otherwise have to look for in every change."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE = sorted(
    path for folder in ("annotator", "llm_labeler", "tests", "bench") for path in (ROOT / folder).rglob("*.py")
)
OURS = [path for path in CODE if not path.is_relative_to(ROOT / "tests")]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
LOCKS = (ROOT / "requirements.lock", ROOT / "requirements-dev.lock")
TOP_LEVEL = {
    *("manage.py", "pyproject.toml", "annotator", "llm_labeler", "templates", "static", "tests", "docker", "README.md"),
    *("Makefile", "docs", "bench", "LICENSE", "requirements.lock", "requirements-dev.lock"),
    "requirements-torch.lock",
}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def uses(paths: list[Path], pattern: str) -> list[str]:
    """`file:line: text` of every match."""
    expression = re.compile(pattern, re.IGNORECASE | re.DOTALL)
    return [
        f"{named(path)}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()[:80]}"
        for path in paths
        for text in [path.read_text()]
        for match in expression.finditer(text)
    ]


@pytest.mark.parametrize(
    "pattern",
    [
        r"<script(?![^>]*\ssrc=)[^>]*>",
        r"<style\b",
        r"<[^>]*\sstyle\s*=",
        r"<[^>]*\son[a-z]+\s*=",
        r"<[^>]*\shx-on",
        r"javascript:",
        r"\|\s*safe\b",
        r"\|\s*safeseq\b",
        r"\{%\s*autoescape\s+off",
        r"(src|href)\s*=\s*[\"'](https?:)?//",
    ],
)
def test_templates_have_nothing_that_the_csp_blocks_or_that_skips_escaping(pattern: str):
    assert uses(TEMPLATES, pattern) == []


@pytest.mark.parametrize(
    "pattern",
    [
        r"\bmark_safe\b",
        r"\bSafeData\b",
        r"fields\s*=\s*[\"']__all__[\"']",
        r"\.objects\.raw\(|\.extra\(",
        r"\bGenericForeignKey\b",
        r"SECRET_KEY\s*=\s*[\"']",
        r"\btorch\.load\(",
    ],
)
def test_code_has_none_of_what_the_design_rules_out(pattern: str):
    assert uses(OURS, pattern) == []


def test_the_templates_and_the_code_are_found():
    assert TEMPLATES
    assert OURS


def test_no_module_has_a_name_that_says_nothing():
    empty = {"utils.py", "helpers.py", "common.py", "misc.py", "signals.py"}
    assert [named(path) for path in CODE if path.name in empty] == []


def test_tests_have_no_init():
    assert [named(path) for path in (ROOT / "tests").rglob("__init__.py")] == []


def test_no_file_is_longer_than_500_lines():
    written = [*CODE, *TEMPLATES, *(ROOT / "static").rglob("*.css"), *(ROOT / "static" / "js").glob("*.js")]
    long = {named(path): n_lines for path in written if (n_lines := path.read_text().count("\n")) > 500}
    assert long == {}


def test_the_top_level_is_the_one_that_was_asked_for():
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text().split()}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert found - ignored <= TOP_LEVEL


def pins(lock: Path) -> dict[str, set[str]]:
    """Package -> its versions; on which machines each is wanted, which development may widen, is left out."""
    found: dict[str, set[str]] = {}
    for line in lock.read_text().splitlines():
        if match := re.match(r"([a-z0-9][a-z0-9._-]*)==([^ ;]+).*\\$", line):
            found.setdefault(match.group(1), set()).add(match.group(2))
    return found


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_has_pins_with_hashes_and_nothing_of_one_machine(lock: Path):
    lines = lock.read_text().splitlines()
    assert pins(lock)
    other = [line for line in lines if not re.match(r"[a-z0-9._-]+==|    --hash=sha256:[0-9a-f]{64}| *#", line)]
    assert other == []
    assert [line for line in lines if "://" in line or " /" in line] == []


def test_the_development_lock_holds_all_of_the_other():
    run, development = pins(LOCKS[0]), pins(LOCKS[1])
    assert {name: development.get(name) for name in run} == run
