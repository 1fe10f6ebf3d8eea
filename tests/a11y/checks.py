"""What is wrong with a page for who sees little or has no mouse: axe's findings, and the way that Tab leads."""

from __future__ import annotations

from collections.abc import Sequence

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

BAD = {"serious", "critical"}
STOPS_AT_ONCE = 12
# Without the rules whose findings would all be left out below: a rule says how bad what it finds is.
RUN = """([options, bad]) => {
  const mild = axe._audit.rules.filter(({ impact }) => impact && !bad.includes(impact));
  return axe.run({ rules: Object.fromEntries(mild.map(({ id }) => [id, { enabled: false }])), ...options });
}"""
# Where Tab must go, how each place looks while it has no focus, and a record of where it went.
WATCH = """() => {
  document.activeElement?.blur?.();
  const root = document.querySelector("dialog[open]") ?? document;
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
  const stops = [...root.querySelectorAll(kinds)].filter(isStop);
  const calm = new Map(stops.map((stop) => [stop, looks(stop)]));
  const seen = new Set();
  const way = { order: [], faults: [] };
  const onFocus = ({ target }) => {
    const at = stops.indexOf(target); // -1: the page has put it there since
    // The browser tells of the same place twice where its window comes to the front meanwhile.
    if (at >= 0 && at !== way.order.at(-1)) way.order.push(at);
    if (seen.has(target)) return;
    seen.add(target);
    if (!name(target)) way.faults.push(`no name: ${told(target)}`);
    if (looks(target) === calm.get(target)) way.faults.push(`no visible focus: ${told(target)}`);
  };
  document.addEventListener("focusin", onFocus);
  window.tabWay = way;
  window.endTabWay = () => {
    document.removeEventListener("focusin", onFocus);
    const left = stops.filter((stop) => stop.isConnected && !seen.has(stop));
    return [...way.faults, ...left.map((stop) => `not reached: ${told(stop)}`)];
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


def tab_faults(page: Page, key: str) -> list[str]:
    """What is wrong with the way that `key` (Tab or Shift+Tab) leads: it comes back to where it began, past the end of
    the page, after it was at each place that takes the focus; each has a name, and looks other than without the focus.
    """
    n_stops = page.evaluate(WATCH)
    order: list[int] = []
    *held, key_itself = key.split("+")
    for modifier in held:
        page.keyboard.down(modifier)
    for _ in range(4 * n_stops // STOPS_AT_ONCE + 2):  # a field for a day takes the key four times
        for _ in range(STOPS_AT_ONCE):
            page.keyboard.down(key_itself)  # held: again and again without being let go
        order = page.evaluate("tabWay.order")
        if is_round(order):
            break
    for each in (key_itself, *held):
        page.keyboard.up(each)
    faults: list[str] = page.evaluate("endTabWay()")
    return faults if is_round(order) else [f"a trap: {key} goes to {order[-4:]} of {n_stops}", *faults]


def is_round(order: list[int]) -> bool:
    """Whether the way has come back to where it began."""
    return order[:1] != [] and order[0] in order[1:]
