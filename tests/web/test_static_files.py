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


def test_a_character_is_in_one_file_of_a_font() -> None:
    faces = re.findall(r"@font-face \{(.*?)\}", (SCRIPTS.parent / "css" / "base.css").read_text(), re.DOTALL)
    found: dict[str, list[int]] = {}
    for face in faces:
        family, file, ranges = (
            re.findall(pattern, face)[0] for pattern in ("family: (.*?);", r"fonts/([\w-]+\.woff2)", "range: (.*?);")
        )
        assert (SCRIPTS.parent / "fonts" / file).is_file()
        for first, last in re.findall(r"U\+([0-9A-F]+)(?:-([0-9A-F]+))?", ranges):
            found.setdefault(family, []).extend(range(int(first, 16), int(last or first, 16) + 1))
    assert set(found) == {'"Marginalia Serif"', "Inter"}
    for characters in found.values():
        assert len(set(characters)) == len(characters)
        assert set(characters) >= {*range(0x20, 0x7F), *range(0xA0, 0x100), *map(ord, "α≥≤–’Œ←")}
