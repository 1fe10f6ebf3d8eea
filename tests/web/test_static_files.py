"""Static files as a browser gets them: named by their content, and asked for all at once."""

from __future__ import annotations

import re
from pathlib import Path

from django.core.files.base import ContentFile

from annotator.templatetags.modules import imported, preload_modules
from annotator.web.static_files import StaticFiles

SCRIPTS = Path(__file__).parents[2] / "static" / "js"


def test_modules_import_each_other_by_names_that_change_with_their_content(tmp_path: Path) -> None:
    def collected(below: str) -> str:
        storage = StaticFiles(location=str(tmp_path / below), base_url="/static/")
        files = {
            "js/above.js": 'import { one,\n  two } from "./below.js";\nimport "./below.js";\n',
            "js/below.js": below,
            "other/htmx.js": 'import { lost } from "./lost.js";\n',
        }
        for name, source in files.items():
            storage.save(name, ContentFile(source))
        list(storage.post_process({name: (storage, name) for name in files}))
        with storage.open(storage.stored_name("js/above.js")) as file:
            return file.read().decode()

    first, second = collected("export const one = 1;"), collected("export const one = 2;")
    assert re.fullmatch(
        r'import { one,\n  two } from "\./below\.[0-9a-f]{12}\.js";\nimport "\./below\.[0-9a-f]{12}\.js";\n', first
    )
    assert first != second


def test_a_script_names_all_modules_below_it_once() -> None:
    found = imported("js/review.js")
    assert "js/offsets.js" in found, "which is imported by one that is imported"
    assert len(set(found)) == len(found)
    assert all((SCRIPTS.parent / name).is_file() for name in found)
    html = preload_modules("js/review.js")
    assert re.findall(r'href="/static/([^"]+)"', html) == list(found)


def test_a_script_without_imports_names_none() -> None:
    assert preload_modules("js/offsets.js") == ""
