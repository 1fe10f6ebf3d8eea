/**
 * What goes between the card and the server, one thing at a time: a decision is never made on a card that is about to
 * change, and one that was not saved is kept, with its key, until it is sent again.
 */

const DOUBLE_CLICK_MS = 300;
let busy = /** @type {"" | "get" | "post" | "leaving"} */ ("");
let shownAt = 0;
let waiting = "";
let dropped = "";
let isDouble = false; // whether the last click is the second half of a double one, meant for the card before
let unsent = /** @type {{path: string, values: Object} | null} */ (null);

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

/** @param {string} text shown above the action bar; empty hides it @param {boolean} isUnsent with the ways out */
export function tell(text, isUnsent = false) {
  const strip = document.getElementById("strip");
  strip.hidden = !text;
  for (const way of strip.querySelectorAll("button, a")) way.hidden = !isUnsent;
  const place = strip.querySelector("span");
  if (place.textContent !== text) place.textContent = text;
}

/** @param {string} state @param {string} text in the corner, until the server says more */
function showState(state, text) {
  const place = document.querySelector("#saved .save");
  if (!place) return;
  place.dataset.state = state;
  place.textContent = text;
}

/** @param {string} what a person just did in vain */
export function refuse(what) {
  if (busy !== "leaving") tell(`Not taken: ${what} came before the next span was shown.`);
}

/** Send the decision that was not saved once more: the same key, so that it counts once. */
function tryAgain() {
  if (!unsent || busy) return;
  htmx.ajax("POST", unsent.path, { source: "#strip", target: "#card", swap: "outerHTML", values: unsent.values }).catch(() => {});
}

/** Stop a form or a link of the card where it may not go now. @param {Event} event */
function guard(event) {
  const isForm = event.type === "submit";
  if (!(event.target instanceof Element) || !(isForm || event.target.closest("a[hx-get]"))) return;
  const isTooSoon = busy || isForm && isDouble && performance.now() - shownAt < DOUBLE_CLICK_MS;
  if (!isTooSoon && !(isForm && unsent)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (!isForm) return;
  if (isTooSoon) refuse(event.submitter?.textContent.trim() || "that");
  else tell("Not taken: the last decision is not saved yet. Try it again, or reload the note.", true);
}

/** @param {Event} event */
function isForCard(event) {
  return event.detail.target?.id === "card";
}

/** @param {Event} event an answer that could not be used, or none */
function onFailed(event) {
  const { requestConfig, xhr } = event.detail;
  if (!isForCard(event)) return;
  if (requestConfig.verb !== "post") {
    tell(xhr.status ? "The server could not show this. Try again." : "No connection. Try again.");
    return;
  }
  unsent = { path: requestConfig.path, values: Object.fromEntries(requestConfig.parameters.entries()) };
  const why = { 0: "no connection", 403: "you have been signed out or in anew" }[xhr.status] ?? "the server could not answer";
  tell(`Not saved: ${why}. Your last decision is kept in this page.`, true);
  showState("failed", "not saved");
}

/** @param {Event} event */
function onAnswered(event) {
  if (!isForCard(event)) return;
  const isPost = event.detail.requestConfig.verb === "post";
  if (isPost && event.detail.successful) unsent = null;
  const isLeaving = event.detail.successful && event.detail.xhr.getResponseHeader("HX-Redirect");
  busy = isLeaving ? "leaving" : "";
  if (event.detail.successful) shownAt = performance.now();
  if (busy || !waiting) return;
  fetchCard(waiting);
}

/** @param {Document} root */
export function init(root) {
  root.addEventListener("submit", guard, { capture: true });
  root.addEventListener("click", (event) => {
    isDouble = event.detail > 1;
    guard(event);
  }, { capture: true });
  root.addEventListener("htmx:configRequest", (event) => {
    // htmx forgets the button that submitted where it stands outside its form.
    const button = event.detail.triggeringEvent?.submitter;
    if (button?.name) event.detail.parameters.set(button.name, button.value);
  });
  root.addEventListener("htmx:beforeRequest", (event) => {
    if (!isForCard(event)) return;
    busy = event.detail.requestConfig.verb;
    if (busy !== "post") return;
    tell("");
    showState("saving", "saving");
  });
  root.addEventListener("htmx:beforeSwap", (event) => {
    const { verb, path } = event.detail.requestConfig;
    if (isForCard(event) && verb === "get" && (waiting || path === dropped)) event.detail.shouldSwap = false;
  });
  root.addEventListener("htmx:afterRequest", onAnswered);
  for (const name of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) root.addEventListener(name, onFailed);
  root.querySelector("[data-try-again]").addEventListener("click", tryAgain);
  root.querySelector("[data-drop]").addEventListener("click", () => (unsent = null));
  addEventListener("online", tryAgain);
  addEventListener("pageshow", (event) => event.persisted && location.reload()); // kept aside, it shows an old state
  addEventListener("beforeunload", (event) => {
    if (unsent || busy === "post") event.preventDefault();
  });
}
