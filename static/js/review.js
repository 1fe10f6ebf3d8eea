/** The review page: the span in focus, its leader, the save status, and the lease. The server holds all other state. */

import { init as initKeys, releaseKeys } from "./keys.js";
import { init as initSelection } from "./select.js";

const RENEW_MS = 120_000;
const main = document.getElementById("main");
let isActive = false;

/** Ring the pieces of the span that the card is about, and bring it into view where it is not. */
function showFocus() {
  const key = document.getElementById("card")?.dataset.focus;
  for (const piece of document.querySelectorAll("#note .span[data-current]")) {
    if (piece.dataset.span !== key) delete piece.dataset.current;
  }
  const pieces = key ? document.querySelectorAll(`#note .span[data-span="${CSS.escape(key)}"]`) : [];
  for (const piece of pieces) piece.dataset.current = "";
  for (const item of document.querySelectorAll("[data-span-key]")) {
    if (item.dataset.spanKey === key) item.setAttribute("aria-current", "true");
    else item.removeAttribute("aria-current");
  }
  document.querySelector("#queue [aria-current]")?.scrollIntoView({ block: "nearest" });
  if (pieces[0]) scrollIfOutside(pieces[0]);
  placeLeader(pieces[0]);
}

/** @param {Element} piece scrolled to the middle where it is outside the middle half of the pane */
function scrollIfOutside(piece) {
  const pane = document.getElementById("note-pane").getBoundingClientRect();
  const box = piece.getBoundingClientRect();
  const isInside = box.top > pane.top + pane.height / 4 && box.bottom < pane.bottom - pane.height / 4;
  if (!isInside) piece.scrollIntoView({ block: "center" });
}

/** @param {Element | undefined} piece */
function placeLeader(piece) {
  const leader = document.querySelector(".leader");
  if (!leader) return;
  leader.hidden = !piece;
  if (!piece) return;
  const pane = document.getElementById("note-pane");
  const box = piece.getClientRects()[0];
  const y = box.top + box.height / 2 - pane.getBoundingClientRect().top + pane.scrollTop;
  leader.style.setProperty("--leader-y", `${Math.round(y)}px`);
}

/** @param {string} text shown above the action bar; empty hides it */
function warn(text) {
  const strip = document.getElementById("strip");
  strip.hidden = !text;
  strip.querySelector("span").textContent = text;
}

/** @param {Event} event */
function isDecision(event) {
  return event.detail.requestConfig?.verb === "post" && event.detail.elt?.id === "card";
}

/** A click on a span is a click on its place in the queue, or fetches its card. @param {MouseEvent} event */
function onMark(event) {
  const key = event.target.closest?.("#note .span")?.dataset.span;
  if (!key || !getSelection().isCollapsed) return;
  htmx.ajax("GET", `${main.dataset.note}?focus=${key}`, { target: "#card", swap: "outerHTML" });
}

async function renewLease() {
  if (!isActive) return;
  isActive = false;
  const headers = JSON.parse(document.body.getAttribute("hx-headers"));
  try {
    const answer = await fetch(main.dataset.renew, { method: "POST", headers });
    if (answer.status === 409) warn("Someone else has taken this note: your lease ran out.");
  } catch {
    // The line is down: the next decision tells, and the lease lasts for several tries.
  }
}

function init() {
  initKeys(document);
  initSelection(document.getElementById("note"));
  showFocus();
  document.getElementById("note").focus({ preventScroll: true });
  document.addEventListener("click", onMark);
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target.id !== "card") return;
    if (!document.querySelector('#card input[name="fragments"]')) getSelection().removeAllRanges();
    showFocus();
    releaseKeys();
  });
  document.addEventListener("htmx:configRequest", (event) => {
    // htmx forgets the button that submitted where it stands outside its form.
    const button = event.detail.triggeringEvent?.submitter;
    if (button?.name) event.detail.parameters.set(button.name, button.value);
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (isDecision(event)) document.querySelector("#saved .save").textContent = "saving";
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (isDecision(event) && event.detail.successful) warn("");
    if (!event.detail.xhr.status) releaseKeys(); // no answer came, so no card will
  });
  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, () => warn("Not saved: no connection. Your last decision is kept here; try it again."));
  }
  document.addEventListener("htmx:responseError", () => warn("Not saved: the server could not answer. Try again."));
  document.querySelector("[data-try-again]").addEventListener("click", () => {
    warn("");
    document.querySelector('[form="card"][data-last]')?.click();
  });
  document.querySelector(".actions").addEventListener("click", (event) => {
    const button = event.target.closest("button[form]");
    if (!button) return;
    document.querySelector("[data-last]")?.removeAttribute("data-last");
    button.dataset.last = "";
  });
  for (const name of ["keydown", "pointerdown", "wheel"]) document.addEventListener(name, () => (isActive = true), { passive: true });
  document.addEventListener("click", (event) => {
    const toggle = event.target.closest?.("[data-queue-toggle]");
    if (!toggle) return;
    const isRail = document.getElementById("queue").offsetWidth < 100;
    main.dataset.queue = isRail ? "open" : "rail";
  });
  addEventListener("resize", () => placeLeader(document.querySelector("#note .span[data-current]")));
  setInterval(renewLease, RENEW_MS);
}

init();
