"""Static files under names that change with their content, scripts that import each other included."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage

_IMPORT = (
    r"""(?P<matched>^import\b(?P<what>(?:[^"';]*\bfrom)?)\s*["'](?P<url>\.[^"']+)["'];)""",
    'import%(what)s "%(url)s";',
)


class StaticFiles(CompressedManifestStaticFilesStorage):
    """Our modules name each other by these names as well, so that a browser keeps them for good, as it does the rest.

    Django's own pattern for that takes every script, and htmx's come with imports that lead nowhere.
    """

    patterns = (*CompressedManifestStaticFilesStorage.patterns, ("js/*.js", ((f"(?m){_IMPORT[0]}", _IMPORT[1]),)))
