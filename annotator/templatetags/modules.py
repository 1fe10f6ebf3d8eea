"""The modules of a page, named in its head: a browser finds each level of them only in the one above otherwise."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from posixpath import dirname, join, normpath

from django import template
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.templatetags.static import static
from django.utils.html import format_html_join

register = template.Library()
_IMPORT = re.compile(r"""^import\b(?:[^"';]*\bfrom)?\s*["'](\.[^"']+)["']""", re.MULTILINE)


@register.simple_tag
def preload_modules(script: str) -> str:
    """A `modulepreload` for every module that the script imports, however deep; read once a process."""
    return format_html_join("", '<link rel="modulepreload" href="{}">', ((static(name),) for name in imported(script)))


@cache
def imported(script: str) -> tuple[str, ...]:
    """The static files that the module at `script` imports, directly or not, in the order of their first import."""
    found: dict[str, None] = {}
    waiting = [script]
    while waiting:
        module = waiting.pop(0)
        names = [normpath(join(dirname(module), name)) for name in _IMPORT.findall(_source(module))]
        waiting += [name for name in names if name not in found]
        found |= dict.fromkeys(names)
    return tuple(found)


def _source(name: str) -> str:
    return Path(finders.find(name) or staticfiles_storage.path(name)).read_text()
