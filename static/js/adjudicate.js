/** The adjudication page: its keys, clicks on spans, selections that write a third version. The server holds all state. */

import { init as initAttention } from "./attention.js";
import { init as initChoices } from "./choices.js";
import { init as initDrafts } from "./drafts.js";
import { init as initLease } from "./lease.js";
import { codePoints, noteOffset } from "./offsets.js";
import { nameOf, press } from "./pressing.js";

const PANES = ["#sides", "#cases-list"];
let kept = /** @type {Record<string, number>} */ ({});

/** @param {KeyboardEvent} event */
function onKeydown(event) {
  if (event.key === "Escape" && event.target instanceof HTMLInputElement) event.target.blur();
  const key = nameOf(event);
  if (!key || event.repeat || key === "Enter" || !press(key)) return;
  event.preventDefault();
}

/** @param {MouseEvent} event a click on a span opens its case */
function onClick(event) {
  if (!(event.target instanceof Element) || !getSelection().isCollapsed) return;
  const place = event.target.closest("#sides .span")?.dataset.span.replace(/-[^-]+$/, "");
  if (place) document.querySelector(`[data-case="${CSS.escape(place)}"]`)?.click();
}

/** Words that were selected in a version become the place of the third one. */
function onSelected() {
  const selection = getSelection();
  const third = document.querySelector("#card [data-third]");
  const edit = document.querySelector('#card [data-key="e"]');
  if (selection.isCollapsed || !/\S/.test(selection.toString()) || !(third || edit)) return;
  const range = selection.getRangeAt(0);
  const start = noteOffset(range.startContainer, range.startOffset);
  const end = noteOffset(range.endContainer, range.endOffset) ?? (start === null ? null : start + codePoints(selection.toString()));
  if (start === null || end === null || start >= end) return;
  if (!third) {
    // From outside the card: htmx would add the card's fields, and its case would count in the place of the link's.
    htmx.ajax("GET", `${edit.getAttribute("href")}&start=${start}&end=${end}&snap=on`, { source: "#sides", target: "#main", swap: "innerHTML" });
    return;
  }
  const form = /** @type {HTMLFormElement} */ (document.getElementById("card"));
  form.elements.start.value = String(start);
  form.elements.end.value = String(end);
  form.elements.snap.value = "on";
  form.requestSubmit();
}

/** A swap brings the whole page: what was scrolled stays so, and the case in hand comes into view. */
function show() {
  for (const pane of PANES) document.querySelector(pane)?.scrollTo({ top: kept[pane] ?? 0 });
  for (const current of document.querySelectorAll(".side-row[data-current], .cases [aria-current]")) {
    const pane = current.closest(PANES.join(","))?.getBoundingClientRect();
    const box = current.getBoundingClientRect();
    if (pane && (box.top < pane.top + 60 || box.bottom > pane.bottom - 20)) current.scrollIntoView({ block: "center" });
  }
  const field = document.querySelector("#card [data-focus-now]") ?? document.getElementById("sides");
  field.focus({ preventScroll: true });
}

/** @param {Document} root */
function init(root) {
  initAttention(root);
  initChoices(root);
  initDrafts(root);
  initLease(root, () => location.assign(root.getElementById("place").dataset.note));
  root.addEventListener("keydown", onKeydown);
  root.addEventListener("click", onClick);
  root.addEventListener("mouseup", () => setTimeout(onSelected));
  root.addEventListener("change", ({ target }) => {
    if (target instanceof HTMLInputElement && target.matches("[data-redraw]")) target.form.requestSubmit();
  });
  root.addEventListener("toggle", ({ target }) => target.open && target.querySelector("input")?.focus(), { capture: true });
  root.addEventListener("htmx:configRequest", ({ detail }) => {
    const button = detail.triggeringEvent?.submitter; // htmx forgets one outside its form
    if (button?.name) detail.parameters.set(button.name, button.value);
  });
  root.addEventListener("htmx:beforeSwap", () => {
    kept = Object.fromEntries(PANES.map((pane) => [pane, document.querySelector(pane)?.scrollTop ?? 0]));
  });
  root.addEventListener("htmx:afterSettle", ({ target }) => target.id === "main" && show());
  show();
}

init(document);
