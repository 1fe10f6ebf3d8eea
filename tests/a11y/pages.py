"""Every page of the application and the states that it can be in: a row for each, by which tests and pictures open it.

A page that has no row fails tests/a11y/test_pages.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect

from annotator.review.models import ReviewItem
from tests.a11y.scene import PASSWORD, Tour
from tests.accounts.codes import code_at
from tests.line import Line
from tests.patience import PATIENCE_MS
from tests.route_table import NO, ROUTES
from tests.test_routes import known_routes

Act = Callable[[Page, Tour], None]
Theme = Literal["light", "dark"]
# What answers GET, and is no page for people: programs ask for it, or the browser.
NO_PAGE = {
    "healthz",
    "readyz",
    "metrics",
    "accounts:idle",
    "accounts:two_factor_qr",
    "builds:download",
    "progress:people_csv",
    "quality:agreement_csv",
    "training:log",
    "trust:evidence",
    "training:comparison_csv",
}


def page_routes() -> set[str]:
    """The routes that show a page to somebody."""
    return {name for name, row in ROUTES.items() if row.get != NO} - NO_PAGE


def nothing(page: Page, tour: Tour) -> None:
    """The page is shown as it comes."""


@dataclass(frozen=True)
class Row:
    """How a page is opened: `ids` names what stands in the address where it is not what the parameter is called.

    `act` brings it into the state that `name` tells. `who` is a user name; empty: nobody is signed in. `is_unsent`: a
    decision is left in the page, and goes with it; `tests/review/test_line.py` looks at these states with axe.
    """

    name: str
    route: str
    ids: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    who: str = "alice"
    act: Act = nothing
    is_unsent: bool = False

    def path(self, tour: Tour, parameters: Mapping[str, tuple[str, ...]]) -> str:
        kwargs = {key: tour.ids[self.ids.get(key, key)] for key in parameters[self.route]}
        return reverse(self.route, kwargs=kwargs) + self.query.format(**tour.ids)


def press(name: str, *, exact: bool = True) -> Act:
    return lambda page, tour: page.get_by_role("button", name=name, exact=exact).first.click()


def click_on(text: str) -> Act:
    return lambda page, tour: page.get_by_text(text).first.click()


def press_key(key: str) -> Act:
    return lambda page, tour: page.keyboard.press(key)


def both(*acts: Act) -> Act:
    def act(page: Page, tour: Tour) -> None:
        for each in acts:
            each(page, tour)

    return act


def type_in(**values: str) -> Act:
    """Fill fields by their names."""

    def act(page: Page, tour: Tour) -> None:
        for name, value in values.items():
            page.locator(f"[name={name}]:visible").last.fill(value.format(**tour.ids))

    return act


def see(text: str) -> Act:
    return lambda page, tour: expect(page.get_by_text(text).first).to_be_visible()


def without_token(page: Page, tour: Tour) -> None:
    page.locator("[name=csrfmiddlewaretoken]").evaluate_all("fields => fields.forEach((field) => field.remove())")


def without_bounds(page: Page, tour: Tour) -> None:
    """The browser lets every number through, so that the server has to refuse it."""
    page.locator("[max]").evaluate_all("fields => fields.forEach((field) => field.removeAttribute('max'))")


def choose_none(page: Page, tour: Tour) -> None:
    page.get_by_label("It rests on").select_option("none")


def open_dialog(name: str) -> Act:
    return lambda page, tour: page.get_by_role("link", name=name).first.click()


def sign_in_twice(page: Page, tour: Tour) -> None:
    """The second step of signing in, with a code that is wrong."""
    type_in(username="dana", password=PASSWORD)(page, tour)
    press("Sign in")(page, tour)
    type_in(code="000000" if code_at(tour.second_factor, timezone.now()) != "000000" else "111111")(page, tour)
    press("Sign in")(page, tour)
    expect(page.get_by_text("This code")).to_be_visible()


def answer_decisions_with(headers: dict[str, str] | None) -> Act:
    """Decisions are answered with these headers, before they reach the server; with None, not at all."""

    def answer(route: Route) -> None:
        if headers is not None:
            route.fulfill(headers=headers)

    def act(page: Page, tour: Tour) -> None:
        Line(page).carry_by(answer)
        page.reload()

    return act


def go_offline(page: Page, tour: Tour) -> None:
    page.context.set_offline(True)


def lose_the_note(page: Page, tour: Tour) -> None:
    """Bob has the note when Alice decides; she has it again after."""
    notes = ReviewItem.objects.filter(public_id=tour.ids["item_id"])
    notes.update(leased_by=tour.people["bob"])
    page.keyboard.press("a")
    see("This note is no longer yours")(page, tour)
    notes.update(leased_by=tour.people["alice"])


SIGN_IN = {"HX-Redirect": "/accounts/sign-in/"}
FIRST = "?focus={open_key}"
EMPTY = {"project_id": "empty_id"}
READ = {"project_id": "read_id"}
NOTHING = {"token": "nothing"}

PAGES: tuple[Row, ...] = (
    Row("home", "home"),
    Row("home-annotator", "home", who="bob"),
    Row("home-no-project", "home", who="erin"),
    Row("menu", "home", act=press("account of alice", exact=False)),
    Row("help", "home", act=press_key("?")),
    Row("notices", "browse:notices"),
    Row("notices-empty", "browse:notices", who="erin"),
    # Signing in.
    Row("sign-in", "accounts:sign_in", who=""),
    Row(
        "sign-in-refused",
        "accounts:sign_in",
        who="",
        act=both(type_in(username="alice", password="wrong"), press("Sign in"), see("do not")),
    ),
    Row("code-refused", "accounts:code", who="", act=sign_in_twice),
    Row("first-link", "accounts:first", {"token": "first"}, who=""),
    Row("first-link-used", "accounts:first", NOTHING, who=""),
    Row("reset", "accounts:reset", {"token": "reset"}, who=""),
    Row("reset-used", "accounts:reset", NOTHING, who=""),
    # One's own account.
    Row("account", "accounts:account"),
    Row("password", "accounts:set_password"),
    Row(
        "password-refused",
        "accounts:set_password",
        act=both(
            type_in(old_password="wrong", new_password1="short", new_password2="other"),
            press("Set password"),
            see("incorrect"),
        ),
    ),
    Row("sessions", "accounts:sessions"),
    Row("two-factor-off", "accounts:two_factor"),
    Row("two-factor-set-up", "accounts:set_up_two_factor"),
    Row("two-factor-on", "accounts:two_factor", who="dana"),
    Row(
        "recovery-codes",
        "accounts:two_factor",
        who="dana",
        act=both(
            lambda page, tour: page.get_by_label("Your password").first.fill(PASSWORD),
            press("Make new codes"),
            see("shown this once"),
        ),
    ),
    Row("tokens", "accounts:tokens"),
    Row("token-made", "accounts:tokens", act=both(type_in(name="backup"), press("Make token"), see("shown this once"))),
    # Everybody's accounts.
    Row("accounts", "accounts:people"),
    Row("account-new", "accounts:new_person"),
    Row("account-new-refused", "accounts:new_person", act=both(type_in(username="bob"), press("Make the account"))),
    Row("account-of-somebody", "accounts:person"),
    Row("account-of-myself", "accounts:person", {"user_id": "alice_id"}),
    Row("account-disabled", "accounts:person", {"user_id": "frank_id"}),
    Row("account-link", "accounts:person", {"user_id": "erin_id"}, act=both(press("Make a link"), see("this once"))),
    # A project.
    Row("project-new", "browse:new_project"),
    Row(
        "project-new-refused",
        "browse:new_project",
        act=both(type_in(name="Letters", schema="{{"), press("Make the project"), see("not JSON")),
    ),
    Row("overview", "browse:overview"),
    Row("overview-empty", "browse:overview", EMPTY),
    Row("overview-annotator", "browse:overview", who="bob"),
    Row("notes", "browse:documents"),
    Row("notes-filtered", "browse:documents", query="?state=reviewed"),
    Row("notes-empty", "browse:documents", EMPTY),
    Row("comments", "browse:comments"),
    Row("comments-own", "browse:comments", query="?kind=flag", who="bob"),
    Row("comments-empty", "browse:comments", EMPTY),
    Row("workers", "browse:workers"),
    Row("people", "browse:people"),
    Row("people-invited", "browse:people", act=both(press("Make a link"), see("The link is ready"))),
    Row("people-remove", "browse:remove"),
    Row("qualification", "qualification:qualification"),
    Row("qualification-none", "qualification:qualification", EMPTY),
    Row("qualification-new", "qualification:new"),
    Row(
        "qualification-refused",
        "qualification:new",
        act=both(type_in(n_tries="20"), press("Ask for this"), see("is tried twice")),
    ),
    Row("qualification-trial", "qualification:trial"),
    Row("qualification-own", "qualification:trial", who="nina"),
    Row("streams", "browse:streams"),
    Row(
        "streams-refused",
        "browse:streams",
        act=both(without_bounds, type_in(blind_percent="101"), press("Keep these"), see("less than or equal to 100")),
    ),
    Row("rounds", "browse:rounds"),
    Row("rounds-empty", "browse:rounds", EMPTY),
    Row("round", "browse:round"),
    Row("round-being-made", "browse:round", ids={"round_id": "unmade_id"}),
    Row("round-refused", "browse:round", act=both(type_in(due_on="2020-01-01"), press("Save"), see("day is over"))),
    Row(
        "round-new",
        "browse:new_round",
        act=both(lambda page, tour: page.get_by_role("checkbox", name="bob").check(), see("2 different people")),
    ),
    Row("round-new-refused", "browse:new_round", act=both(press("Start the round"), see("Choose who reads"))),
    Row("round-of-a-reader", "review:round", who="bob"),
    Row("guideline", "browse:guideline"),
    Row("guideline-older", "browse:guideline", query="?version=1"),
    Row("guideline-empty", "browse:guideline", EMPTY),
    Row("guideline-example", "browse:new_example"),
    Row("differences", "browse:differences", READ),
    Row("differences-empty", "browse:differences", EMPTY),
    Row("difference", "browse:difference", READ),
    Row("difference-example", "browse:difference_example", READ),
    Row("guideline-new", "browse:new_guideline"),
    Row("labelers", "browse:labelers"),
    Row("pools", "browse:pools"),
    Row("pools-empty", "browse:pools", EMPTY),
    Row("pool", "browse:pool"),
    Row("labelers-empty", "browse:labelers", EMPTY),
    Row("labeler-new", "browse:new_labeler"),
    Row("invitation", "projects:invitation", {"token": "invitation"}, who=""),
    Row("invitation-signed-in", "projects:invitation", {"token": "invitation"}, who="erin"),
    Row("invitation-known", "projects:invitation", {"token": "invitation"}, who="bob"),
    Row("invitation-used", "projects:invitation", NOTHING, who=""),
    # Review.
    Row("review-start", "review:start"),
    Row("review-start-empty", "review:start", EMPTY),
    Row("review-start-qualify", "review:start", who="nina"),
    Row("review", "review:note", query=FIRST),
    Row("review-by-span", "review:note", query="?queue=span&focus={open_key}"),
    Row("review-new-span", "review:new_span", query="?start={start}&end={end}&focus={open_key}"),
    Row("review-filtered", "review:note", query="?queue=low_score"),
    Row("review-own-span", "review:note", query="?focus={own_key}"),
    Row("review-alike", "review:note", query="?focus={alike_key}&alike=1"),
    Row("review-relating", "review:note", query="?focus={other_key}&relate={own_key}"),
    Row("review-relating-suggestion", "review:note", query=FIRST, act=both(press_key("Shift+R"), see("Relation from"))),
    Row("review-note-labels", "review:note", query=FIRST, act=both(press_key("Shift+N"), see("Back to the spans"))),
    Row("review-audit", "review:note", query="?focus={audit_key}"),
    Row("review-blind", "review:note", {"item_id": "blind_item"}),
    Row("review-done", "review:note", {"item_id": "done_item"}),
    Row("review-missed", "review:note", {"item_id": "missed_item"}, act=see("Anything missed? 1 of")),
    Row("review-not-yours", "review:note", {"item_id": "bobs_item"}),
    Row(
        "review-busy",
        "review:note",
        query=FIRST,
        act=both(answer_decisions_with(None), press_key("a"), see("saving")),
        is_unsent=True,
    ),
    Row(
        "review-refused",
        "review:new_span",
        query="?start={own_start}&end={own_end}",
        act=both(lambda page, tour: page.keyboard.press(tour.ids["own_hotkey"]), see("Nothing was saved")),
    ),
    Row("review-conflict", "review:note", query=FIRST, act=lose_the_note, is_unsent=True),
    Row(
        "review-offline",
        "review:note",
        query=FIRST,
        act=both(go_offline, press_key("a"), see("Offline since")),
        is_unsent=True,
    ),
    Row(
        "review-signed-out",
        "review:note",
        query=FIRST,
        act=both(answer_decisions_with(SIGN_IN), press_key("a"), see("You have been signed out")),
        is_unsent=True,
    ),
    Row("review-help", "review:note", act=press_key("?")),
    # These decide what the rows before show.
    Row(
        "review-audit-told",
        "review:note",
        query="?focus={audit_key}",
        act=both(press_key("1"), see("the model says")),
    ),
    Row("review-decided", "review:note", {"item_id": "missed_item"}, act=both(press_key("x"), see("Nothing left"))),
    # Import.
    Row("imports", "exchange:imports"),
    Row("imports-empty", "exchange:imports", EMPTY),
    Row("import-look", "exchange:import"),
    Row("import-columns", "exchange:import", {"import_id": "import_columns"}),
    Row("import-tool", "exchange:import", {"import_id": "import_tool"}),
    Row("import-errors", "exchange:import", {"import_id": "import_errors"}),
    Row("import-of-another", "exchange:import", {"import_id": "import_anothers"}),
    Row("import-waiting", "exchange:import", {"import_id": "import_waiting"}),
    Row("import-done", "exchange:import", {"import_id": "import_done"}),
    Row("import-refused", "exchange:import", {"import_id": "import_refused"}),
    # Adjudication.
    Row("adjudicate-start", "adjudication:notes"),
    Row("adjudicate-start-empty", "adjudication:notes", EMPTY),
    Row("adjudicate-rules", "adjudication:rules"),
    Row("adjudicate", "adjudication:note"),
    Row("adjudicate-third", "adjudication:note", act=both(press_key("e"), see("A third version"))),
    Row("adjudicate-not-yours", "adjudication:note", who="adam"),
    # Runs, agreement, quality, datasets.
    Row("runs", "suggestions:runs"),
    Row("runs-empty", "suggestions:runs", EMPTY),
    Row("run", "suggestions:run"),
    Row("run-cancel", "suggestions:run", act=press("Cancel")),
    Row("agreement", "quality:agreement", READ),
    Row("agreement-pair", "quality:agreement", READ, query="?pair={pair_id}&cell=Problem%7CMedication"),
    Row("agreement-round", "quality:agreement", READ, query="?round={read_round_id}"),
    Row("agreement-empty", "quality:agreement", EMPTY),
    Row("trust", "trust:trust", READ, query="?label=Problem"),
    Row("trust-empty", "trust:trust", EMPTY),
    Row("trust-measured", "trust:measured", READ),
    Row("trust-second", "trust:second", READ),
    Row("trust-second-empty", "trust:second", EMPTY),
    Row("trust-target", "trust:target", READ, query="?label=Problem"),
    Row("trust-what-if", "trust:outlook", READ, query="?label=&target=95&delta=5"),
    Row("certificate", "trust:certificate", READ),
    Row("models", "training:models"),
    Row("models-empty", "training:models", EMPTY),
    Row("models-without-weights", "training:models", READ),
    Row("model", "training:model"),
    Row("model-current", "training:model", {"model_id": "current_id"}),
    Row("model-promoted", "training:model", {**READ, "model_id": "gone_id"}),
    Row("promote", "training:promote"),
    Row("promote-unconfirmed", "training:promote", act=both(choose_none, press("Promote"), see("Choose a comparison"))),
    Row("promote-refused", "training:promote", {**READ, "model_id": "gone_id"}),
    Row("runs-without-weights", "suggestions:runs", READ),
    Row("quality", "quality:quality"),
    Row("quality-blind", "quality:blind"),
    Row("quality-empty", "quality:quality", EMPTY),
    Row("progress", "progress:progress"),
    Row("progress-empty", "progress:progress", EMPTY),
    Row("datasets", "builds:builds"),
    Row("datasets-empty", "builds:builds", EMPTY),
    Row("dataset-sheet", "builds:builds", act=both(open_dialog("Build a dataset"), see("Patients in each part"))),
    Row("dataset-new", "builds:new"),
    Row("dataset-formats", "builds:new", act=both(click_on("More formats"), see("For annotation tools"))),
    Row("dataset-refused", "builds:new", act=both(type_in(train="70"), press("Build dataset"), see("shares are"))),
    Row("dataset", "builds:build"),
    Row("dataset-whole", "builds:build", {"build_id": "whole_build"}),
    Row("dataset-replaced", "builds:build", {"project_id": "letters_id", "build_id": "letters_build"}),
    Row("dataset-compared", "builds:compare", {"build_id": "whole_build"}),
    Row("comparisons", "training:comparisons", {"project_id": "compared_id"}),
    Row("comparisons-empty", "training:comparisons", EMPTY),
    Row("comparison-new", "training:new_comparison", {"project_id": "compared_id"}),
    Row("comparison-refused", "training:new_comparison"),
    Row("comparison", "training:comparison", {"project_id": "compared_id"}),
    Row("comparison-moving", "training:comparison", {"project_id": "compared_id", "comparison_id": "moving_id"}),
    Row("dataset-waiting", "builds:build", {"build_id": "waiting_build"}),
    # Trainings.
    Row("trainings", "training:trainings"),
    Row("trainings-empty", "training:trainings", EMPTY),
    Row("training-new", "training:new"),
    Row("training-new-adapter", "training:new", query="?kind=lora"),
    Row("training-new-empty", "training:new", EMPTY),
    Row(
        "training-refused", "training:new", query="?kind=lora", act=both(press("Start the training"), see("do not ask"))
    ),
    Row("training", "training:run"),
    Row("training-table", "training:run", query="?curve=table"),
    Row("training-moving", "training:run", {"training_id": "training_moving"}),
    Row("training-failed", "training:run", {"training_id": "training_failed"}),
    Row("training-cancel", "training:run", {"training_id": "training_moving"}, act=press("Cancel")),
    Row("training-remove", "training:remove"),
    # Data and what goes.
    Row("data", "purges:data"),
    Row("data-found", "purges:data", act=both(type_in(value="{patient}"), press("Show what would go"), see("out of"))),
    Row("data-not-found", "purges:data", act=both(type_in(value="nobody"), press("Show what would go"))),
    # Errors.
    Row("not-found", "browse:overview", {"project_id": "nothing"}),
    Row("forbidden", "browse:people", who="bob"),
    Row("forgery", "browse:people", act=both(without_token, press("Make a link"), see("has expired"))),
)


class Visitor:
    """Opens rows in a browser: each person has one page of their own, who is not signed in a fresh one every time.

    With a `clock` the pages' own stands there, in UTC.
    """

    def __init__(self, browser: Browser, address: str, tour: Tour, *, clock: datetime | None = None) -> None:
        self.troubles: list[str] = []
        self._clock = clock
        self._unsent = ""  # whose page keeps a decision that is not to be sent
        self._browser, self._address, self._tour = browser, address, tour
        self._pages: dict[str, Page] = {}
        self._parameters = dict(known_routes())

    def open(self, row: Row, *, width: int = 1440, theme: Theme = "light") -> Page:
        """The page of the row, in the state that it tells."""
        if self._unsent:
            self._pages.pop(self._unsent).context.close()
        self._unsent = row.who if row.is_unsent else ""
        page = self._page_of(row.who)
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)
        page.goto(self._address + row.path(self._tour, self._parameters))
        row.act(page, self._tour)
        return page

    def close(self) -> None:
        for page in self._pages.values():
            page.context.close()

    def _page_of(self, who: str) -> Page:
        if who and who in self._pages:
            return self._pages[who]
        if who in self._pages:
            self._pages[who].context.close()
        context = self._browser.new_context(locale="en-GB", timezone_id="UTC", reduced_motion="reduce")
        context.set_default_timeout(PATIENCE_MS)
        if self._clock:
            context.clock.set_fixed_time(self._clock)
        if who:
            client = Client()
            client.force_login(self._tour.people[who])
            cookie = client.cookies[settings.SESSION_COOKIE_NAME]
            context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": self._address}])
        page = self._pages[who] = context.new_page()
        page.on("pageerror", lambda error: self.troubles.append(f"{page.url}: {error}"))
        page.on("console", self._note_trouble)
        return page

    def _note_trouble(self, message: ConsoleMessage) -> None:
        # A 4xx answer is reported on the console as well, or that none came: that one is the row's own business.
        if not self._unsent and message.type == "error" and "Failed to load resource" not in message.text:
            self.troubles.append(message.text)
