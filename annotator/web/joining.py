"""Static files joined to those that they import, so that a page asks for few of them.

As they lie in `static/` they need none of this: a browser then loads them one by one, and does the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from posixpath import dirname, join, splitext

_IMPORT = re.compile(
    r"""^import\s+(?:\{(?P<names>[^}]*)\}\s*from\s*)?["']\./(?P<module>[\w-]+)\.js["'];\n""", re.MULTILINE
)
_EXPORT = re.compile(r"^export\s+(?=(?:async\s+)?(?:function|const|class)\s+(?P<name>\w+))", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b[^\n]*|\bimport\(", re.MULTILINE)
_STYLES = re.compile(r"""^@import "(?P<name>[\w-]+\.css)";\n""", re.MULTILINE)
_GAP = r"(?:\s|/\*.*?\*/)"
_LOOSE = re.compile(
    rf"""(?P<kept>"[^"]*"|'[^']*')|{_GAP}*;?{_GAP}*(?P<close>\}}){_GAP}*|{_GAP}*(?P<mark>[{{;]){_GAP}*|{_GAP}+""",
    re.DOTALL,
)
_COMMENT = re.compile(r"^[ \t]*(?:/\*(?:(?!\*/).)*\*/[ \t]*|//[^\n]*)\n", re.MULTILINE | re.DOTALL)


class CannotJoin(ValueError):
    """A module says something that joining would break."""


def join_modules(name: str, sources: Mapping[str, str], *, base: str) -> str:
    """The module at `name` with all that it imports, each as a function called once, in the order a browser runs them.

    What `base` holds, which is on every page, is imported from there, so that no module runs twice. Raises CannotJoin
    for what no module here needs: default exports, `export {…}`, exported variables, imports while it runs.
    """
    held = _modules_below(base, sources)
    own = _modules_below(name, sources)
    taken = [] if name == base else [module for module in own if module in held]
    parts = [_import(taken, base)] if taken else []
    parts += [_function(module, sources[module]) for module in own if module not in taken]
    if name == base:
        parts.append(f"export {{ {', '.join(map(_variable, own))} }};\n")
    return "".join(parts)


def join_styles(name: str, sources: Mapping[str, str]) -> str:
    """The stylesheet at `name` with those beside it that it imports, in their places."""

    def imported(found: re.Match[str]) -> str:
        return join_styles(join(dirname(name), found["name"]), sources)

    return _STYLES.sub(imported, _COMMENT.sub("", sources[name]))


def tighten(style: str) -> str:
    """The stylesheet without comments, and without white space but for one blank where it may say something.

    The packages that do this take more away, and what they take from `.row :is(a, b)` changes what it says.
    """
    return _LOOSE.sub(lambda found: found["kept"] or found["close"] or found["mark"] or " ", style).strip()


def _modules_below(name: str, sources: Mapping[str, str], seen: Collection[str] = ()) -> list[str]:
    """The module and all it imports, however deep, each after those that it imports itself."""
    if name in seen:
        raise CannotJoin(f"{name} imports itself, by {', '.join(seen)}")
    found: dict[str, None] = {}
    for imported in _IMPORT.finditer(sources[name]):
        found |= dict.fromkeys(_modules_below(join(dirname(name), f"{imported['module']}.js"), sources, (*seen, name)))
    return [*found, name]


def _function(name: str, source: str) -> str:
    body = _EXPORT.sub("", _IMPORT.sub(_constant, source))
    if found := _OTHER.search(body):
        raise CannotJoin(f"{name} says {found[0]!r}")
    exported = ", ".join(found["name"] for found in _EXPORT.finditer(source))
    return f"const {_variable(name)} = (() => {{\n{_COMMENT.sub('', body)}return {{ {exported} }};\n}})();\n"


def _constant(found: re.Match[str]) -> str:
    """What an import becomes, where the module imported is a constant."""
    if found["names"] is None:
        return ""
    names = re.sub(r"\s+as\s+", ": ", found["names"])
    return f"const {{{names}}} = {_variable(found['module'])};\n"


def _import(modules: Collection[str], base: str) -> str:
    return f'import {{ {", ".join(map(_variable, modules))} }} from "./{base.rpartition("/")[2]}";\n'


def _variable(module: str) -> str:
    return f"${splitext(module)[0].rpartition('/')[2].replace('-', '_')}"
