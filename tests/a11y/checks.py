"""What is wrong with a page for who sees little or has no mouse: axe's findings, and the way that Tab leads."""

from __future__ import annotations

from collections.abc import Sequence

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

BAD = {"serious", "critical"}
PRESSES_A_STOP = 4  # of a field for a day
# Without the rules whose findings would all be left out below: a rule says how bad what it finds is.
RUN = """([options, bad]) => {
  const mild = axe._audit.rules.filter(({ impact }) => impact && !bad.includes(impact));
  return axe.run({ rules: Object.fromEntries(mild.map(({ id }) => [id, { enabled: false }])), ...options });
}"""
# Where Tab must go, how each place looks while it has no focus, and a record of where it went. It begins before the
# first place, or behind the last: past an end the browser takes the focus itself, and gives it back when it likes.
WATCH = """(isBack) => {
  document.activeElement?.blur?.();
  const root = document.querySelector("dialog[open]") ?? document.body;
  const begin = document.createElement("span");
  begin.tabIndex = -1;
  begin.style.position = "fixed";
  root[isBack ? "append" : "prepend"](begin);
  const looks = (element) => {
    const { parentElement: parent } = element;
    const around = [element, ...element.children, parent, ...(parent?.children ?? []), parent?.parentElement];
    return around.filter(Boolean).map((each) => {
      const style = getComputedStyle(each);
      return [style.outlineStyle === "none" ? "" : style.outline, style.boxShadow, style.clipPath].join();
    }).join("|");
  };
  const words = (id) => document.getElementById(id)?.textContent ?? "";
  const name = (element) => [
    element.getAttribute("aria-label"), ...(element.getAttribute("aria-labelledby") ?? "").split(" ").map(words),
    ...[...(element.labels ?? [])].map((label) => label.textContent), element.textContent, element.title,
  ].find((each) => each?.trim());
  const isStop = (element) => {
    if (element.disabled || element.tabIndex < 0 || element.closest("[inert]")) return false;
    if (!element.checkVisibility({ visibilityProperty: true })) return false;
    if (element.type !== "radio") return true;
    const radios = [...root.querySelectorAll("input[type=radio]")];
    const group = radios.filter((each) => each.name === element.name && each.form === element.form);
    return (group.find((each) => each.checked) ?? group[0]) === element;
  };
  const told = (element) => element.outerHTML.slice(0, 140);
  const kinds = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]";
  const standing = () => [...root.querySelectorAll(kinds)].filter(isStop);
  const stops = standing();
  const calm = new Map(stops.map((stop) => [stop, looks(stop)]));
  const seen = new Set();
  const faults = [];
  const onFocus = ({ target }) => {
    if (target === begin || seen.has(target)) return;
    seen.add(target);
    if (!name(target)) faults.push(`no name: ${told(target)}`);
    if (looks(target) === calm.get(target)) faults.push(`no visible focus: ${told(target)}`);
  };
  begin.focus();
  document.addEventListener("focusin", onFocus);
  // At least so many presses lie before the end; where the page has taken the place away, one.
  window.leftOfTabWay = () => {
    const now = standing();
    const at = now.indexOf(document.activeElement);
    if (at < 0) return 1;
    return isBack ? at : now.length - 1 - at;
  };
  window.endTabWay = () => {
    document.removeEventListener("focusin", onFocus);
    const at = told(document.activeElement);
    begin.remove();
    const left = stops.filter((stop) => stop.isConnected && !seen.has(stop));
    return [at, [...faults, ...left.map((stop) => `not reached: ${told(stop)}`)]];
  };
  return stops.length;
}"""


def give_axe(page: Page) -> None:
    """What `serious_violations` needs, once for each page that is loaded."""
    page.evaluate(AXE_SCRIPT)


def serious_violations(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """What axe finds on the page, with the elements; by these of its rules only, where some are named."""
    # With `preload` axe would read stylesheets in a way that the CSP forbids, for no rule that is run here.
    options = {"resultTypes": ["violations"], "preload": False} | ({"runOnly": list(rules)} if rules else {})
    found = page.evaluate(RUN, [options, sorted(BAD)])["violations"]
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:160]} {node['failureSummary'].splitlines()[-1].strip()}"
        for each in found
        if each["impact"] in BAD
        for node in each["nodes"]
    ]


def overflow(page: Page) -> list[str]:
    """By how much the page is wider than the window, so that it must be moved sideways to be read."""
    extra = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"{extra} px too wide"] if extra > 0 else []


def tab_faults(page: Page, key: str) -> list[str]:
    """What is wrong with the way that `key` (Tab or Shift+Tab) leads: it comes to the end of the page, or dialog, after
    it was at each place that takes the focus; each has a name, and looks other than without the focus.
    """
    *held, key_itself = key.split("+")
    n_left = n_stops = page.evaluate(WATCH, bool(held))
    n_pressed = 0
    for modifier in held:
        page.keyboard.down(modifier)
    while n_left and n_pressed < PRESSES_A_STOP * n_stops:
        for _ in range(n_left):
            page.keyboard.down(key_itself)  # held: again and again without being let go
        n_pressed += n_left
        n_left = page.evaluate("leftOfTabWay()")
    for each in (key_itself, *held):
        page.keyboard.up(each)
    at, faults = page.evaluate("endTabWay()")
    return [f"a trap: {key} stays at {at}", *faults] if n_left else list(faults)
