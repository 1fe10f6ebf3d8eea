"""Static files under names that change with their content, each joined to those that it imports, without comments."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any

from django.core.files.base import ContentFile
from rjsmin import jsmin
from whitenoise.storage import CompressedManifestStaticFilesStorage

from annotator.web.joining import join_modules, join_styles, tighten

BASE_SCRIPT = "js/app.js"
_IMPORT = (
    r"""(?m)(?P<matched>^import\b(?P<what>[^"';]*\bfrom)\s*["'](?P<url>\.[^"']+)["'];)""",
    'import%(what)s "%(url)s";',
)


class StaticFiles(CompressedManifestStaticFilesStorage):
    """Our scripts name the one of every page by its name with a hash, so that a browser keeps it for good as well.

    Django's own pattern for that takes every script, and htmx's come with imports that lead nowhere.
    """

    patterns = (*CompressedManifestStaticFilesStorage.patterns, ("js/*.js", (_IMPORT,)))

    def post_process(self, paths: dict[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
        if not dry_run:
            self._join(paths)
        yield from super().post_process(paths, dry_run=dry_run, **options)

    def _join(self, paths: dict[str, Any]) -> None:
        sources = {}
        for name, (storage, path) in paths.items():
            if fnmatch(name, "js/*.js") or fnmatch(name, "css/*.css"):
                with storage.open(path) as file:
                    sources[name] = file.read().decode()
        for name in sources:
            if name.endswith(".js"):
                whole = jsmin(join_modules(name, sources, base=BASE_SCRIPT))
            else:
                whole = tighten(join_styles(name, sources))
            self.delete(name)
            paths[name] = (self, self.save(name, ContentFile(whole.encode())))
