/**
 * The queue: one tab stop with a roving focus over its rows, its filter and its width. What it is narrowed to lies in
 * its hidden field, which goes along with every decision and every card. Its rows come with every decision, so one
 * listener fetches their cards: htmx would go through them all.
 */

import { fetchCard } from "./exchange.js";

/** @returns {HTMLElement[]} the switch and the filter, as far as they are drawn */
function head() {
  return [...document.querySelectorAll("#queue .filter, [data-queue-toggle]")].filter((stop) => stop.checkVisibility());
}

/** @returns {HTMLElement[]} */
function rows() {
  return [...document.querySelectorAll("#queue [data-span-key]")];
}

/** Make one control of the queue its tab stop. @param {Element | undefined} stop */
function rove(stop) {
  for (const other of document.querySelectorAll("#queue :is(a, button)")) {
    const index = other === stop ? "0" : "-1";
    if (other.getAttribute("tabindex") !== index) other.setAttribute("tabindex", index);
  }
}

/** Mark the row of a span, which is the tab stop from now on. @param {string | undefined} key */
export function showInQueue(key) {
  const items = rows();
  const current = items.find((item) => item.dataset.spanKey === key);
  for (const item of items) {
    if (item === current) item.setAttribute("aria-current", "true");
    else item.removeAttribute("aria-current");
  }
  rove(current ?? items[0] ?? head()[0]);
  current?.scrollIntoView({ block: "nearest" });
}

/** @returns {Element | null} the tab stop */
export function queueStop() {
  return document.querySelector("#queue [tabindex='0']");
}

function isNarrow() {
  const queue = document.getElementById("queue");
  return queue.offsetWidth < 100 || queue.offsetHeight < 60;
}

/** @param {boolean} isOpen */
function open(isOpen) {
  document.getElementById("main").dataset.queue = isOpen ? "open" : "rail";
  showWidth();
}

function showWidth() {
  document.querySelector("[data-queue-toggle]").setAttribute("aria-expanded", String(!isNarrow()));
}

/** Arrows go from the rows up to the filter, along it, and back down. @param {KeyboardEvent} event */
function onKeydown(event) {
  if (!(event.target instanceof Element) || event.ctrlKey || event.metaKey || event.altKey) return;
  const stop = event.target.closest("#queue :is(a, button)");
  if (!stop) return;
  const [above, items] = [head(), rows()];
  const at = above.indexOf(stop);
  let to = null;
  if (event.key === "Escape" && matchMedia("(max-width: 1100px)").matches && !isNarrow()) open(false);
  else if (at < 0 && stop === items[0] && event.key === "ArrowUp") to = above.find((one) => one.ariaCurrent) ?? above[0];
  else if (at < 0) return;
  else if (event.key === "ArrowDown") to = items.find((item) => item.ariaCurrent) ?? items[0];
  else if (event.key === "ArrowRight") to = above[at + 1];
  else if (event.key === "ArrowLeft") to = above[at - 1];
  else if (event.key !== "ArrowUp") return;
  to?.focus();
  event.preventDefault();
}

/** @param {Document} root */
export function init(root) {
  root.addEventListener("keydown", onKeydown);
  root.addEventListener("focusin", ({ target }) => {
    if (target instanceof Element && target.matches("#queue :is(a, button)")) rove(target);
  });
  root.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    if (event.target.closest("[data-queue-toggle]")) open(isNarrow());
    const row = event.target.closest("#queue [data-span-key]");
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    fetchCard(row.getAttribute("href").split("#")[0]);
  });
  root.addEventListener("htmx:configRequest", ({ detail }) => {
    const field = document.querySelector("#queue input[name=queue]");
    if (detail.verb !== "get" || !field?.value || /[?&]queue=/.test(detail.path)) return;
    if (detail.target?.id === "card") detail.parameters.set("queue", field.value);
  });
  addEventListener("resize", showWidth);
  showWidth();
}
