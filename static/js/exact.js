/**
 * Whether selections and handles go to the character instead of to whole words: a choice of this browser.
 * Markup: button[data-exact-toggle]; a[data-exact] leads to the other card of the same selection.
 */

import { prefer, preference } from "./preferences.js";

/** @returns {boolean} */
export function isExact() {
  return preference("exact") === "true";
}

function show() {
  for (const button of document.querySelectorAll("[data-exact-toggle]")) button.setAttribute("aria-pressed", String(isExact()));
}

/** @param {boolean} isOn */
function turn(isOn) {
  prefer("exact", isOn ? "true" : "");
  show();
}

/** @param {MouseEvent} event */
function onClick(event) {
  if (!(event.target instanceof Element) || event.defaultPrevented) return;
  const link = event.target.closest("a[data-exact]");
  if (link) turn(link.dataset.exact === "true");
  else if (!event.target.closest("[data-exact-toggle]")) return;
  else if (document.querySelector("#card a[data-exact]")) document.querySelector("#card a[data-exact]").click();
  else turn(!isExact());
}

/** @param {Document} root */
export function init(root) {
  root.addEventListener("click", onClick, { capture: true }); // before htmx, which keeps the click of a link to itself
  root.addEventListener("htmx:configRequest", ({ detail }) => {
    const move = detail.parameters.get("move");
    if (move && isExact()) detail.parameters.set("move", `${move}:exact`);
    if (!detail.path.startsWith(document.getElementById("place").dataset.newSpan) || detail.path.includes("exact=")) return;
    if (isExact()) detail.parameters.set("exact", "true");
  });
  root.addEventListener("htmx:afterSettle", ({ target }) => target.id === "card" && show());
  addEventListener("storage", ({ key }) => key === "exact" && show());
  show();
}
