/**
 * What goes between the card and the server, one thing at a time: a decision is never made on a card that is about to
 * change, and one that was not saved goes to the outbox, as does what is decided after it.
 */

import { doneTo, hasKept, isDown, show } from "./kept.js";
import { meaningOf } from "./meaning.js";
import { init as initOutbox, keep, keepUnsaved } from "./outbox.js";
import { isToSignIn } from "./send.js";
import { drawLinked } from "./standin.js";
import { clock, showState, tell } from "./status.js";

const DOUBLE_CLICK_MS = 300;
let busy = /** @type {"" | "get" | "post" | "leaving"} */ ("");
let shownAt = 0;
let waiting = "";
let dropped = "";
let isDouble = false; // whether the last click is the second half of a double one, meant for the card before

/** True while a card is on its way, so that nothing may be decided on the one that is still shown. */
export function isBusy() {
  return busy !== "";
}

/** True where the hand moved before the card that is shown now had come. @param {Event} event */
export function isStale(event) {
  return event.timeStamp < shownAt;
}

/** Fetch a card, after what is on its way; the newest wish wins. @param {string} url */
export function fetchCard(url) {
  waiting = busy ? url : "";
  if (busy) return;
  dropped = "";
  htmx.ajax("GET", url, { source: "#note", target: "#card", swap: "outerHTML" }).catch(() => {}); // told by onFailed
}

/** Do not show a card that was wished for. @param {string} url */
export function dropCard(url) {
  if (waiting === url) waiting = "";
  dropped = url;
}

/** @param {string} what a person just did in vain */
export function refuse(what) {
  if (busy !== "leaving") show(`Not taken: ${what} came before the next span was shown.`);
}

/** Stop a form or a link of the card where it may not go now. @param {Event} event */
function guard(event) {
  const isForm = event.type === "submit";
  if (!(event.target instanceof Element) || !(isForm || event.target.closest("a[hx-get]"))) return;
  if (!busy && !(isForm && isDouble && performance.now() - shownAt < DOUBLE_CLICK_MS)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (isForm) refuse(event.submitter?.textContent.trim() || "that");
}

/** @param {Event} event */
function isForCard(event) {
  return event.detail.target?.id === "card";
}

/** @returns {Record<string, string>} what a request posts */
const valuesOf = ({ parameters }) => Object.fromEntries(parameters.entries());

/** A request for the card is about to go: it may have to wait in the outbox. @param {Event} event */
function onRequest(event) {
  if (!isForCard(event)) return;
  const { verb, path } = event.detail.requestConfig;
  const isHere = verb === "get" ? isDown() && drawLinked(path, doneTo()) : hasKept() || "standIn" in document.getElementById("card").dataset;
  if (isHere) {
    event.preventDefault();
    if (verb === "post") keep(path, valuesOf(event.detail.requestConfig));
    return;
  }
  busy = verb;
  if (busy !== "post") return;
  tell("");
  showState("saving", "saving");
}

/** @param {Event} event an answer that could not be used, or none */
function onFailed(event) {
  const { requestConfig, xhr } = event.detail;
  if (!isForCard(event)) return;
  if (requestConfig.verb === "post") {
    keepUnsaved({ status: xhr.status, goesTo: "", html: "" }, requestConfig.path, valuesOf(requestConfig));
  } else if (!(isDown() && drawLinked(requestConfig.path, doneTo()))) {
    show(xhr.status ? "The server could not show this. Try again." : "No connection. Try again.");
  }
}

/** @param {Event} event an answer that leads away: not to sign in, with a decision in hand */
function onLoad(event) {
  const { requestConfig, xhr } = event.detail;
  const goesTo = xhr.getResponseHeader("HX-Redirect") ?? "";
  if (!isForCard(event) || requestConfig.verb !== "post" || !isToSignIn(goesTo)) return;
  event.preventDefault();
  keepUnsaved({ status: xhr.status, goesTo, html: "" }, requestConfig.path, valuesOf(requestConfig));
}

/** @param {Event} event */
function onSwap(event) {
  const { requestConfig, xhr } = event.detail;
  if (!isForCard(event)) return;
  if (requestConfig.verb === "get") {
    if (waiting || requestConfig.path === dropped) event.detail.shouldSwap = false;
  } else if (xhr.status === 409) {
    const isTaken = !xhr.response.includes('name="key"'); // then its text is not shown either
    tell(`Not saved: ${meaningOf(valuesOf(requestConfig), !isTaken)}.`);
  }
}

/** @param {Event} event */
function onAnswered(event) {
  if (!isForCard(event)) return;
  const { requestConfig, successful, xhr } = event.detail;
  const isPost = requestConfig.verb === "post";
  const goesTo = xhr.status === 200 ? xhr.getResponseHeader("HX-Redirect") ?? "" : "";
  busy = goesTo && !(isPost && isToSignIn(goesTo)) ? "leaving" : "";
  if (successful) shownAt = performance.now();
  if (successful && isPost) showState(...(xhr.status === 200 ? ["saved", `saved ${clock(true)}`] : ["failed", "not saved"]));
  if (!busy && waiting) fetchCard(waiting);
}

/** @param {Document} root */
export function init(root) {
  root.addEventListener("submit", guard, { capture: true });
  root.addEventListener("click", (event) => {
    isDouble = event.detail > 1;
    guard(event);
  }, { capture: true });
  root.addEventListener("htmx:configRequest", (event) => {
    const button = event.detail.triggeringEvent?.submitter; // htmx forgets one outside its form, or without the focus
    if (button?.name) event.detail.parameters.set(button.name, button.value);
    if (button?.hasAttribute("formaction")) event.detail.path = button.getAttribute("formaction");
  });
  root.addEventListener("htmx:beforeRequest", onRequest);
  root.addEventListener("htmx:beforeOnLoad", onLoad);
  root.addEventListener("htmx:beforeSwap", onSwap);
  root.addEventListener("htmx:afterRequest", onAnswered);
  for (const name of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) root.addEventListener(name, onFailed);
  root.addEventListener("card:drawn", () => (shownAt = performance.now()));
  initOutbox((key) => fetchCard(`${document.getElementById("place").dataset.note}?focus=${key}`));
  addEventListener("pageshow", (event) => event.persisted && location.reload()); // kept aside, it shows an old state
  addEventListener("beforeunload", (event) => busy === "post" && event.preventDefault());
}
