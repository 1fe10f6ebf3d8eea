"""Static files as a browser gets them: named by their content, and each with all that it imports."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.files.base import ContentFile
from django.test import Client
from playwright.sync_api import Page, Route, expect

from annotator.accounts.models import User
from annotator.projects.models import Project, SchemaVersion
from annotator.review.leases import take_note
from annotator.web.joining import CannotJoin, join_modules, join_styles, tighten
from annotator.web.static_files import StaticFiles
from tests.cast import NOW, make_document
from tests.review.conftest import CHEST_PAIN, suggest
from tests.review.test_browser import Desk, sign_in_browser

STATIC = Path(__file__).parents[2] / "static"
TEMPLATES = STATIC.parent / "templates"
PARTS = (
    "chip",
    "help",
    "idle",
    "key_switch",
    "label",
    "message",
    "messages",
    "pill",
    "save_status",
    "user_menu",
)
SOURCES = {
    "js/app.js": 'import { one } from "./low.js";\nexport const two = one + 1;\n',
    "js/low.js": "/** What it is. */\nexport const one = 1; // once\n",
    "js/middle.js": 'import {\n  one,\n} from "./low.js";\nexport function three() {\n  return one + 2;\n}\n',
    "js/page.js": 'import { three as drei } from "./middle.js";\nimport "./low.js";\ndrei();\n',
}
LOW = "const $low=(()=>{const one=1;return{one};})();"


def collect(folder: Path, files: dict[str, str]) -> StaticFiles:
    storage = StaticFiles(location=str(folder), base_url="/static/")
    for name, source in files.items():
        storage.save(name, ContentFile(source))
    list(storage.post_process({name: (storage, name) for name in files}))
    return storage


def collected(folder: Path, files: dict[str, str], name: str) -> str:
    storage = collect(folder, files)
    return (folder / storage.stored_name(name)).read_text()


def test_the_script_of_every_page_holds_what_it_imports_for_the_others(tmp_path: Path) -> None:
    app = "const $app=(()=>{const{one}=$low;const two=one+1;return{two};})();"
    assert collected(tmp_path, SOURCES, "js/app.js") == f"{LOW}{app}export{{$low,$app}};"


def test_a_script_holds_what_the_one_of_every_page_does_not(tmp_path: Path) -> None:
    found = collected(tmp_path, SOURCES, "js/page.js")
    first, rest = found.split(";", 1)
    assert re.fullmatch(r'import{\$low}from "\./app\.[0-9a-f]{12}\.js"', first)
    assert rest == (
        "const $middle=(()=>{const{one,}=$low;function three(){return one+2;}\nreturn{three};})();"
        "const $page=(()=>{const{three:drei}=$middle;drei();return{};})();"
    )


def test_a_name_changes_with_what_is_imported(tmp_path: Path) -> None:
    before = collect(tmp_path / "before", SOURCES).stored_name("js/page.js")
    after = collect(tmp_path / "after", SOURCES | {"js/low.js": "export const one = 3;\n"}).stored_name("js/page.js")
    assert before != after


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("export { one };\n", "export { one };"),
        ("export default 1;\n", "export default 1;"),
        ("export let one = 1;\n", "export let one = 1;"),
        ('import all from "./low.js";\n', "import all from"),
        ('const late = await import("./low.js");\n', "import("),
        ('import { two } from "./app.js";\n', "imports itself"),
    ],
)
def test_what_cannot_be_joined_is_refused(source: str, said: str) -> None:
    with pytest.raises(CannotJoin, match=re.escape(said)):
        join_modules("js/app.js", SOURCES | {"js/app.js": source}, base="js/app.js")


def test_a_stylesheet_holds_those_that_it_imports() -> None:
    sources = {
        "css/site.css": '/* All. */\n@import "a.css";\n@import "b.css";\n',
        "css/a.css": "a {}\n",
        "css/b.css": "b {}\n",
    }
    assert join_styles("css/site.css", sources) == "a {}\nb {}\n"


def test_a_tight_stylesheet_keeps_what_blanks_and_strings_say() -> None:
    loose = (
        '/* A; b. */\n.a :is(b, .c) > d {\n  content: "/* } ; */  ";  /* { */\n  width: calc(1px + 2px);\n}\n'
        "\n.e { --f: g; }\n"
    )
    assert tighten(loose) == '.a :is(b, .c) > d{content: "/* } ; */  ";width: calc(1px + 2px)}.e{--f: g}'


@pytest.mark.browser
def test_a_stylesheet_says_the_same_as_what_it_was_made_of(page: Page) -> None:
    sources = {f"css/{path.name}": path.read_text() for path in (STATIC / "css").glob("*.css")}
    rules = """async (sources) => {
      const sheets = await Promise.all(sources.map((source) => new CSSStyleSheet().replace(source)));
      return sheets.map((sheet) => Array.from(sheet.cssRules, (rule) => rule.cssText));
    }"""
    for name in sources:
        whole = join_styles(name, sources)
        said, meant = page.evaluate(rules, [tighten(whole), whole])
        assert said == meant != []


@pytest.mark.browser
def test_the_review_page_works_from_collected_files(
    tmp_path: Path, settings: Any, page: Page, live_server: Any, project: Project, bob: User,
    schema_version: SchemaVersion, bells: object,
) -> None:  # fmt: skip
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {
            "BACKEND": "annotator.web.static_files.StaticFiles",
            "OPTIONS": {"location": str(tmp_path), "base_url": "/static/"},
        }
    }
    paths = {name: (storage, name) for finder in finders.get_finders() for name, storage in finder.list([])}
    for name, (storage, path) in paths.items():
        with storage.open(path) as file:
            StaticFiles(location=str(tmp_path), base_url="/static/").save(name, file)
    list(StaticFiles(location=str(tmp_path), base_url="/static/").post_process(paths))
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url.partition("/static/")[2])
        route.fulfill(path=tmp_path / asked[-1])

    page.route("**/static/**", answer)
    document = make_document(project)
    suggest(document, [(CHEST_PAIN, "Problem", 0.2)], schema_version=schema_version)
    sign_in_browser(page.context, bob, live_server.url)
    desk = Desk(page, take_note(document=document, reviewer=bob, now=NOW), live_server.url).open()
    desk.press("a")
    expect(page.locator("#card-title")).to_have_text("Nothing left to decide")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    assert sorted(re.sub(r"\.[0-9a-f]{12}", "", name) for name in asked if name.endswith(("js", "css"))) == [
        *("css/review.css", "css/site.css"),
        *("django_htmx/htmx-2.min.js", "js/app.js", "js/review.js", "js/theme.js"),
    ]


def test_a_static_file_says_of_itself_only_how_it_is_kept(settings: Any, tmp_path: Path, client: Client) -> None:
    (tmp_path / "one.css").write_text("a {}")
    settings.STATIC_ROOT, settings.WHITENOISE_AUTOREFRESH = tmp_path, True
    response = client.get("/static/one.css")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert {"Content-Security-Policy", "Referrer-Policy", "X-Request-ID", "Set-Cookie"}.isdisjoint(response.headers)


def test_the_review_page_has_no_class_of_the_style_it_goes_without() -> None:
    style = (STATIC / "css" / "pages.css").read_text()
    alone = set(re.findall(r"^  \.([\w-]+)", style, re.MULTILINE))
    others = "not_yours.html", "round.html", "start.html"
    pages = [path for path in (TEMPLATES / "review").glob("*.html") if path.name not in others]
    parts = [TEMPLATES / "base.html", *(TEMPLATES / "components" / f"{name}.html" for name in PARTS)]
    for path in [*pages, *parts]:
        said = {name for found in re.findall(r'class="([^"]*)"', path.read_text()) for name in found.split()}
        assert not said & alone, path
    assert {"table", "field", "panel"} <= alone


def test_a_character_is_in_one_file_of_a_font() -> None:
    faces = re.findall(r"@font-face \{(.*?)\}", (STATIC / "css" / "base.css").read_text(), re.DOTALL)
    found: dict[str, list[int]] = {}
    for face in faces:
        family, file, ranges = (
            re.findall(pattern, face)[0] for pattern in ("family: (.*?);", r"fonts/([\w-]+\.woff2)", "range: (.*?);")
        )
        assert (STATIC / "fonts" / file).is_file()
        for first, last in re.findall(r"U\+([0-9A-F]+)(?:-([0-9A-F]+))?", ranges):
            found.setdefault(family, []).extend(range(int(first, 16), int(last or first, 16) + 1))
    assert set(found) == {'"Marginalia Serif"', "Inter"}
    for characters in found.values():
        assert len(set(characters)) == len(characters)
        assert set(characters) >= {*range(0x20, 0x7F), *range(0xA0, 0x100), *map(ord, "α≥≤–’Œ←")}
