"""Nothing is lost between the page and the server, in a real Chromium: each decision counts once, or is said not to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Route, expect

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.core.schema import schema_from_json
from annotator.core.spans import Span
from annotator.projects.models import Project
from annotator.review.leases import take_next, take_note
from annotator.review.models import Decision, ReviewItem
from tests.a11y.checks import give_axe, serious_violations
from tests.cast import NOW, SCHEMA, make_document
from tests.line import Line, line_context
from tests.review.conftest import suggest
from tests.review.scene import make_shared_project, own_database, session_of, web_server

pytestmark = [pytest.mark.browser]

TEXT = "Zebrafever with chest pain.\nKnown diabetes, on metformin.\nLeft knee swollen, no rash.\n"
SPANS = [
    ("chest pain", "Problem", 0.1),
    ("diabetes", "Problem", 0.2),
    ("metformin", "Medication", 0.3),
    ("Left knee", "Problem", 0.4),
    ("rash", "Problem", 0.5),
]
SAVED = re.compile(r"^\s*saved \d\d:\d\d:\d\d\s*$")
KEPT = "in this page and will be sent"


class Tab:
    """One tab of a reviewer at the note."""

    def __init__(self, page: Page, item: ReviewItem, url: str) -> None:
        self.page, self.item, self.url, self.line = page, item, url, Line(page)
        self.address = url + reverse("review:note", args=[item.document.project.public_id, item.public_id])
        self.strip, self.corner = page.locator("#strip"), page.locator("#saved")
        self.title, self.quote = page.locator("#card-title"), page.locator("#card .quote mark")
        self.token = page.locator("#card input[name=key]")

    def violations(self) -> list[str]:
        """What axe finds on the page as it is."""
        give_axe(self.page)
        return serious_violations(self.page)

    def open(self) -> Tab:
        self.page.goto(self.address)
        expect(self.page.locator("#note")).to_be_focused()
        return self

    def press(self, *keys: str) -> None:
        """Press keys, each on the card that came for the last."""
        for key in keys:
            before = self.token.input_value()
            self.page.keyboard.press(key)
            expect(self.token).not_to_have_value(before)

    def try_now(self) -> None:
        self.strip.get_by_role("button", name="Try now").click()

    def is_warned(self) -> bool:
        """Whether leaving the page is warned; the person then stays."""
        seen: list[str] = []

        def stay(dialog: Dialog) -> None:
            seen.append(dialog.type)
            dialog.dismiss()

        self.page.once("dialog", stay)
        self.page.evaluate("location.assign('/healthz')")
        if not seen:
            self.page.wait_for_url("**/healthz")
        return seen == ["beforeunload"]


def verdicts() -> list[str]:
    return list(Decision.objects.order_by("pk").values_list("verdict", flat=True))


def live() -> list[str]:
    return sorted(Annotation.objects.filter(status="live").values_list("surface", flat=True))


def take_suggested(project: Project, reader: User) -> ReviewItem:
    """The note with its suggestions, in the reader's hands."""
    document = make_document(project, text=TEXT)
    spans = [
        (Span.of(TEXT.index(words), TEXT.index(words) + len(words)), label, score) for words, label, score in SPANS
    ]
    suggest(document, spans, schema_version=project.schema_versions.get())
    return take_note(document=document, reviewer=reader, now=NOW)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with line_context(browser) as opened:
        yield opened


def sign_in(context: BrowserContext, user: User, url: str) -> None:
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session_of(user), "url": url}])


@pytest.fixture
def tab(context: BrowserContext, project: Project, bob: User, live_server: Any, bells: object) -> Tab:
    sign_in(context, bob, live_server.url)
    return Tab(context.new_page(), take_suggested(project, bob), live_server.url).open()


def test_decisions_made_offline_are_sent_in_order_when_the_line_is_back(tab: Tab, context: BrowserContext) -> None:
    context.set_offline(True)
    tab.press("a", "x", "Space")
    expect(tab.strip).to_have_text(re.compile(rf"Offline since \d\d:\d\d\.\s+3 decisions are kept {KEPT}"))
    assert tab.violations() == []
    expect(tab.corner).to_have_text("3 not sent")
    expect(tab.title).to_have_text("Suggestion 4 of 5")
    expect(tab.quote).to_have_text("Left knee")
    expect(tab.page.locator("#card [data-words]")).to_have_text("Problem, suggested")
    expect(tab.page.locator("#remark")).to_have_count(0)  # those that are there are about another span
    shown = tab.page.locator("#queue [data-kept]").evaluate_all("rows => rows.map((row) => row.dataset.kept)")
    assert shown == ["accepted", "rejected", "skipped"]
    marked = tab.page.locator("#note [data-kept]").evaluate_all("marks => marks.map((mark) => mark.dataset.kept)")
    assert sorted(marked) == sorted(shown)
    tab.page.locator("#note .span[data-kept=rejected]").click()
    expect(tab.title).to_have_text("Rejected, not sent")
    tab.page.locator("#note .span:not([data-kept])").first.click()
    expect(tab.title).to_have_text(re.compile("Suggestion [45] of 5"))
    expect(tab.page.locator("#card [name=target]")).to_have_value(re.compile(r"^i\w{16}$"))
    assert tab.is_warned()
    assert verdicts() == []
    context.set_offline(False)
    expect(tab.corner).to_have_text(SAVED)
    expect(tab.strip).to_be_hidden()
    expect(tab.page.locator("#progress")).to_contain_text("2 of 5")
    expect(tab.page.locator("[data-kept]")).to_have_count(0)
    expect(tab.page.locator("#card .signals")).to_be_visible()
    expect(tab.page.locator("#remark")).to_be_visible()
    expect(tab.quote).to_have_text("Left knee")
    tab.press("a")
    assert verdicts() == ["accept", "reject", "skip", "accept"]
    assert live() == ["Left knee", "chest pain"]
    assert not tab.is_warned()


def test_the_seconds_of_decisions_that_had_to_wait_are_counted_once(tab: Tab, context: BrowserContext) -> None:
    tab.press("j", "j", "j", "j", "j")  # a while of work
    context.set_offline(True)
    tab.press("a", "x", "Space")
    context.set_offline(False)
    expect(tab.corner).to_have_text(SAVED)
    seconds = list(Decision.objects.values_list("active_seconds", flat=True))
    assert len(seconds) == 3
    assert sum(seconds) <= tab.page.evaluate("performance.now()") / 1000 + 0.15  # each is rounded to a tenth


def test_one_may_look_around_offline_and_take_back_what_was_never_sent(tab: Tab, context: BrowserContext) -> None:
    context.set_offline(True)
    tab.press("a", "x")
    tab.press("j", "k", "k")
    expect(tab.title).to_have_text("Rejected, not sent")
    expect(tab.page.get_by_role("button", name="Accept A")).to_be_disabled()
    tab.page.get_by_role("link", name="rash").click()
    expect(tab.quote).to_have_text("rash")
    tab.page.keyboard.press("u")
    expect(tab.quote).to_have_text("diabetes")
    expect(tab.corner).to_have_text("1 not sent")
    tab.page.keyboard.press("u")
    expect(tab.strip).to_contain_text("Not taken: the last decision may have reached the server.")
    tab.page.locator("#note").focus()
    tab.page.keyboard.press("ArrowDown")  # a word of the note, to be a span
    expect(tab.strip).to_contain_text("No connection. Try again.")
    context.set_offline(False)
    expect(tab.strip).to_be_hidden()
    assert verdicts() == ["accept"]


def test_an_answer_that_is_lost_counts_once(tab: Tab) -> None:
    sent: list[str] = []
    tab.page.on("request", lambda request: sent.append(request.post_data or "") if "decide" in request.url else None)
    tab.line.lose_answers()
    tab.page.keyboard.press("2")
    expect(tab.strip).to_contain_text("1 decision is kept")
    expect(tab.title).to_have_text("Changed, not sent")
    tab.line.fail_with(500)
    tab.try_now()
    expect(tab.strip).to_contain_text("The server failed to save at")
    tab.line.mend()
    n_unsaved = len(sent)
    tab.try_now()
    expect(tab.strip).to_be_hidden()
    keys = {re.search(r"(?:^|&)key=(\w+)", data)[1] for data in sent}  # type: ignore[index]
    assert len(keys) == 1
    assert n_unsaved >= 2, "the page tries by itself as well"
    assert len(sent) == n_unsaved + 1, "what is saved is not sent again"
    assert verdicts() == ["edit"]
    expect(tab.page.locator("#note .span[data-state=person]")).to_have_text("chest pain")
    expect(tab.title).to_have_text("Your span")


@pytest.mark.parametrize("status", [502, 503])
def test_a_server_that_is_away_is_asked_again_without_a_hand(tab: Tab, status: int) -> None:
    tab.line.fail_with(status)
    tab.press("a")
    expect(tab.strip).to_contain_text("No answer from the server since")
    tab.press("x")
    expect(tab.corner).to_have_text("2 not sent")
    tab.line.mend()
    expect(tab.strip).to_be_hidden()
    assert verdicts() == ["accept", "reject"]


def test_a_decision_on_which_the_server_fails_can_be_left_out(tab: Tab) -> None:
    first = tab.token.input_value()

    def fail_on_first(route: Route) -> None:
        if first in (route.request.post_data or ""):
            route.fulfill(status=500)
        else:
            route.continue_()

    tab.line.carry_by(fail_on_first)
    tab.press("a")
    tab.press("x")
    tab.strip.get_by_role("button", name="Leave out the first").click()
    expect(tab.strip).to_be_hidden()
    expect(tab.page.locator("#progress")).to_contain_text("1 of 5")
    assert verdicts() == ["reject"]
    assert Decision.objects.get().item.suggestion.surface == "diabetes"  # type: ignore[union-attr]


def test_where_one_is_refused_the_rest_waits_and_it_is_said_what_was_not_saved(
    tab: Tab, context: BrowserContext
) -> None:
    other = Tab(context.new_page(), tab.item, tab.url).open()
    context.set_offline(True)
    tab.press("a", "x", "a")
    context.set_offline(False)
    expect(tab.strip).to_be_hidden()
    tab.page.reload()
    context.set_offline(True)
    tab.press("x")
    tab.press("a")
    other_item = ReviewItem.objects.get(suggestion__surface="Left knee")
    ReviewItem.objects.filter(pk=other_item.pk).update(status="decided", version=other_item.version + 1)
    context.set_offline(False)
    expect(tab.strip).to_contain_text("Not saved: Reject “Left knee”. 1 decision is kept in this page.")
    expect(tab.page.locator("#card").get_by_role("alert")).to_contain_text("decided or changed already")
    expect(tab.corner).to_have_text("1 not sent")
    assert tab.is_warned()
    assert verdicts() == ["accept", "reject", "accept"]
    tab.strip.get_by_role("button", name="Send the rest").click()
    expect(tab.strip).to_be_hidden()
    assert verdicts() == ["accept", "reject", "accept", "accept"]
    other.press("a")
    expect(other.strip).to_contain_text("Not saved: Accept “chest pain”.")
    assert live() == ["chest pain", "metformin", "rash"]


def test_a_note_that_someone_took_meanwhile_says_what_is_not_saved_without_its_text(
    tab: Tab, context: BrowserContext, alice: User
) -> None:
    context.set_offline(True)
    tab.press("a", "x")
    ReviewItem.objects.filter(pk=tab.item.pk).update(leased_by=alice)
    context.set_offline(False)
    expect(tab.strip).to_contain_text("Not saved: Accept, Reject.")
    expect(tab.corner).to_have_text("2 not saved")
    expect(tab.title).to_have_text("This note is no longer yours")
    assert tab.violations() == []
    main = tab.page.locator("#main")
    for words in ("chest pain", "diabetes"):
        expect(main).not_to_contain_text(words)
    for gone in ("#remark", "#note-head h1", "#note-place form"):
        expect(tab.page.locator(gone)).to_have_count(0)
    assert verdicts() == []
    assert not tab.is_warned()


def test_a_session_that_ended_hides_the_note_and_keeps_what_was_decided(
    tab: Tab, context: BrowserContext, bob: User
) -> None:
    Session.objects.all().delete()
    tab.page.keyboard.press("a")
    expect(tab.strip).to_contain_text("You have been signed out. 1 decision is kept")
    assert tab.violations() == []
    expect(tab.strip.get_by_role("link", name="Sign in")).to_have_attribute("href", reverse("accounts:sign_in"))
    expect(tab.page.locator("#main")).not_to_contain_text("chest pain")
    expect(tab.page.locator("#remark")).to_have_count(0)
    assert tab.is_warned()
    assert verdicts() == []
    sign_in(context, bob, tab.url)
    tab.try_now()
    expect(tab.page.locator("#progress")).to_contain_text("1 of 5")
    assert verdicts() == ["accept"]


def test_what_one_person_decided_is_not_sent_in_another_s_name(tab: Tab, context: BrowserContext, alice: User) -> None:
    tab.press("a")
    context.clear_cookies()
    sign_in(context, alice, tab.url)
    tab.page.keyboard.press("x")
    expect(tab.strip).to_contain_text("Someone else has signed in here. 1 decision is kept")
    expect(tab.page.locator("#main")).not_to_contain_text("diabetes")
    assert verdicts() == ["accept"]


def test_signed_in_anew_in_another_tab_the_page_goes_on(tab: Tab, context: BrowserContext, bob: User) -> None:
    context.clear_cookies()
    sign_in(context, bob, tab.url)
    tab.page.keyboard.press("a")
    expect(tab.corner).to_have_text(SAVED)
    expect(tab.page.locator("#card[data-stand-in]")).to_have_count(0)
    tab.press("x")
    expect(tab.page.locator("#progress")).to_contain_text("2 of 5")
    assert verdicts() == ["accept", "reject"]


def test_two_tabs_that_mean_the_same_make_one_annotation(tab: Tab, context: BrowserContext) -> None:
    other = Tab(context.new_page(), tab.item, tab.url).open()
    for key in ("a", "2"):  # another accepts, or changes, what this one has accepted
        tab.press("a")
        other.press(key)
        expect(other.strip).to_contain_text("Not saved: ")
        expect(other.corner).to_contain_text("not saved")
        expect(other.page.locator("#note .span[data-state=person]")).to_have_count(len(live()))
    assert verdicts() == ["accept", "accept"]
    assert live() == ["chest pain", "diabetes"]
    place = f"{tab.address}new-span/?start=0&end=5"
    for one in (tab, other):
        one.page.goto(place)
        expect(one.title).to_have_text("New span")
    tab.press("1")
    other.press("1")
    expect(other.page.locator("#card").get_by_role("alert")).to_be_visible()
    expect(other.title).to_have_text("New span")
    assert live() == ["Zebrafever", "chest pain", "diabetes"]


def test_a_new_span_is_there_again_after_a_reload(tab: Tab) -> None:
    tab.page.get_by_label("from").fill("0")
    tab.page.get_by_label("up to").fill("3")
    tab.page.get_by_role("button", name="Choose its label").click()
    expect(tab.quote).to_have_text("Zebrafever")
    tab.page.reload()
    expect(tab.title).to_have_text("New span")
    expect(tab.quote).to_have_text("Zebrafever")
    tab.press("1")
    assert live() == ["Zebrafever"]
    assert tab.page.url == tab.address


def test_what_is_typed_comes_back_with_its_card_and_leaving_is_warned(tab: Tab) -> None:
    page = tab.page

    def with_field(route: Route) -> None:
        answer = route.fetch()
        field = '<textarea name="comment" aria-label="Comment"></textarea></form>'
        route.fulfill(response=answer, body=answer.text().replace("</form>", field))

    page.route(re.compile(r"/review/\w{16}/"), with_field)
    page.reload()
    comment = page.locator("#card").get_by_label("Comment")
    assert not tab.is_warned()
    tab.open()
    comment.fill("Zebrafever, is it?")
    assert tab.is_warned()
    page.get_by_role("link", name="rash").click()
    expect(tab.quote).to_have_text("rash")
    expect(comment).to_have_value("")
    assert tab.is_warned()
    page.get_by_role("link", name="chest pain").click()
    expect(comment).to_have_value("Zebrafever, is it?")
    tab.page.locator("#note").focus()
    tab.press("a")
    assert not tab.is_warned()  # it went with the decision


def test_nothing_is_in_the_browsers_storage(tab: Tab, context: BrowserContext) -> None:
    tab.press("a")
    context.set_offline(True)
    tab.press("x", "Space", "a")
    tab.page.get_by_role("link", name="rash").click()
    look = """async () => JSON.stringify([{...sessionStorage}, {...localStorage}, history.state, location.href,
        document.cookie, document.title, await caches.keys(), await indexedDB.databases(),
        (await navigator.serviceWorker.getRegistrations()).length, window.name])"""
    kept = [tab.page.evaluate(look)]
    targets = ReviewItem.objects.filter(unit="span").values_list("public_id", flat=True)
    context.set_offline(False)
    expect(tab.strip).to_be_hidden()
    kept.append(tab.page.evaluate(look))
    kept.append(str(context.storage_state(indexed_db=True)))
    assert "marginalia_session" in kept[2]
    words = [word.lower() for word in re.findall(r"\w{4,}", TEXT)]
    for found in kept:
        assert not [word for word in [*words, *targets, "verdict"] if word in found.lower()]
    assert verdicts() == ["accept", "reject", "skip", "accept"]


def test_what_is_said_to_those_who_hear_the_page(tab: Tab, context: BrowserContext) -> None:
    tab.page.evaluate(
        """() => {
          window.heard = { alert: [], status: [] };
          for (const [id, list] of [["strip-said", heard.alert], ["save-said", heard.status]]) {
            new MutationObserver(() => list.push([performance.now(), document.getElementById(id).textContent]))
              .observe(document.getElementById(id), { childList: true });
          }
        }"""
    )
    context.set_offline(True)
    tab.press("a", "x", "a")
    expect(tab.corner).to_have_text(re.compile("3 not sent"))
    tab.try_now()
    context.set_offline(False)
    expect(tab.corner).to_have_text(SAVED)
    expect(tab.page.locator("#save-said")).to_have_text(SAVED)
    heard: dict[str, list[tuple[float, str]]] = tab.page.evaluate("heard")
    alerts = [text for _, text in heard["alert"] if text]
    assert len(alerts) == 1 and alerts[0].startswith("Offline since")
    times = [time for time, _ in heard["status"]]
    assert 1 <= len(times) <= 3
    assert all(later - earlier >= 4990 for earlier, later in pairwise(times))
    expect(tab.page.locator("#saved")).to_have_attribute("aria-hidden", "true")


@pytest.mark.slow
def test_a_server_that_is_stopped_and_started_again(
    context: BrowserContext, tmp_path: Path, django_db_blocker: Any
) -> None:
    tmp_path.chmod(0o700)
    with django_db_blocker.unblock(), own_database(tmp_path) as environment:
        project = make_shared_project(
            schema=schema_from_json(SCHEMA), reviewers=["bob"], n_notes=1, n_words=40, n_spans=4, seed=1
        )
        bob = User.objects.get(username="bob")
        item = take_next(project=project, reviewer=bob, now=NOW)
        assert item is not None
        with web_server(tmp_path, environment) as served:
            url = f"http://127.0.0.1:{served.port}"
            sign_in(context, bob, url)
            tab = Tab(context.new_page(), item, url).open()
            tab.press("a")
        tab.press("x", "Space", "a")
        expect(tab.strip).to_contain_text("No answer from the server since")
        expect(tab.corner).to_have_text(re.compile("3 not sent"))
        with web_server(tmp_path, environment, port=served.port):
            expect(tab.strip).to_be_hidden()
            expect(tab.page.locator("#progress")).to_contain_text("3 of 4")
            assert verdicts() == ["accept", "reject", "skip", "accept"]
            assert len(live()) == 2
