/** The parts of the page: F6 goes from one to the next, and a card that comes leaves the focus in its part. */

import { queueStop } from "./queue.js";

const PARTS = [".topbar", "#queue", "#note", "#card", ".actions"];
let place = /** @type {"" | "card" | "filter" | "queue"} */ ("");

/** @param {string} selector @returns {HTMLElement | null} what takes the focus of a part */
function entrance(selector) {
  if (selector === "#queue") return queueStop();
  const part = document.querySelector(selector);
  if (selector === "#card") part.tabIndex = -1;
  return selector === "#note" || selector === "#card" ? part : part.querySelector(":is(a, button):not(:disabled, [hidden])");
}

/** @param {string} selector @returns {string} the part in words, for those who hear the page */
function nameOf(selector) {
  const text = (id) => document.getElementById(id)?.textContent.trim() ?? "";
  if (selector === "#queue") return `Queue, ${text("queue-count")} in this note`;
  if (selector === "#note") return `Note: ${document.querySelector(".note-head h1")?.textContent ?? ""}`;
  if (selector === "#card") return `Card: ${text("card-title")}`;
  return selector === ".actions" ? "Action bar" : "Top bar";
}

/** @param {KeyboardEvent} event */
function onKeydown(event) {
  if (event.key !== "F6" || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  const step = event.shiftKey ? -1 : 1;
  const at = document.activeElement?.closest("#remarks") ? document.getElementById("card") : document.activeElement;
  const here = PARTS.findIndex((selector) => at?.closest(selector));
  const start = here < 0 ? (step > 0 ? -1 : 0) : here;
  for (let n = 1; n <= PARTS.length; n += 1) {
    const selector = PARTS[(start + step * n + PARTS.length * 2) % PARTS.length];
    const target = entrance(selector);
    if (!target?.checkVisibility()) continue;
    target.focus();
    document.getElementById("told").textContent = nameOf(selector);
    return;
  }
}

/** Keep in mind where the focus is, before a card comes. */
function remember() {
  const element = document.activeElement;
  place = element?.id === "card" ? "card" : element?.closest("#queue .filter") ? "filter" : element?.closest("#queue a") ? "queue" : "";
}

/** Put the focus back where a swap took it; to the note where it was nowhere else. */
export function restoreFocus() {
  const chosen = place === "filter" ? document.querySelector("#queue .filter[aria-current]") : null;
  const target = chosen ?? (place === "card" ? entrance("#card") : place ? queueStop() : null);
  if (target) target.focus({ preventScroll: true });
  else if (document.activeElement === document.body) document.getElementById("note").focus({ preventScroll: true });
}

/** Show only the head of the card, where it lies over the foot of the page, or again more. @param {Element | null} grip */
function toggleSheet(grip) {
  if (!grip) return;
  const main = document.getElementById("main");
  main.dataset.sheet = main.dataset.sheet === "peek" ? "half" : "peek";
  grip.setAttribute("aria-expanded", String(main.dataset.sheet === "half"));
}

/** @param {Document} root */
export function init(root) {
  root.addEventListener("keydown", onKeydown);
  root.addEventListener("htmx:beforeRequest", remember);
  root.addEventListener("click", ({ target }) => target instanceof Element && toggleSheet(target.closest("[data-sheet-toggle]")));
}
