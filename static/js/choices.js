/**
 * A choice that was not saved: kept in the page's memory and sent again by itself, under the key it was made with, so
 * that it counts once. What comes next is the server's to draw, so nothing else is chosen until it is sent.
 */

import { forget } from "./drafts.js";
import { isSealed, isToSignIn, post, renewToken, troubleOf, waitAfter } from "./send.js";
import { clock, showState, tell } from "./status.js";
import { stripFor } from "./troubles.js";

let kept = /** @type {{path: string, values: Record<string, string>, isRenewed?: boolean} | null} */ (null);
let [trouble, about] = ["", ""];
let [nTries, timer] = [0, 0];
let isSending = false;

/** @param {string} text in place of what is said otherwise: why something was not taken */
function show(text = "") {
  showState("unsent", "1 not sent");
  const [usual, lead, ways] = stripFor(trouble, 1, about);
  tell(text || usual, text ? "" : lead, ways);
}

/** Keep the choice, as far as `answer` has not saved it, and try again. @param {Answer} answer */
async function onUnsaved(answer) {
  let why = troubleOf(answer);
  if (why === "token") {
    why = kept.isRenewed ? "fault" : await renewToken();
    kept.isRenewed = !why;
    if (!why) return send();
  }
  if (why !== trouble) {
    [trouble, about] = [why, clock(false)];
    if (isSealed(why)) clearNote();
    show();
  }
  clearTimeout(timer);
  timer = setTimeout(send, waitAfter(nTries++, why));
}

/** Take the note and all that is said of it off the page. */
function clearNote() {
  document.querySelector(".crumbs > :last-child")?.remove();
  for (const id of ["card", "cases-list", "cases-title"]) document.getElementById(id).replaceChildren();
  const sides = document.getElementById("sides");
  sides.innerHTML = '<div class="empty"><h2>Sign in to go on</h2><p>The note is not shown while nobody, or someone else, is signed in here.</p></div>';
}

/** Send what is kept, and show what the server draws then. */
async function send() {
  clearTimeout(timer);
  if (isSending || !kept) return;
  isSending = true;
  const answer = await post(kept.path, kept.values);
  isSending = false;
  const why = troubleOf(answer);
  if (why && why !== "refused") return onUnsaved(answer);
  const { path, values } = kept;
  drop();
  if (why !== "refused") forget(path, values);
  if (answer.goesTo) return location.assign(answer.goesTo);
  htmx.swap("#main", answer.html, { swapStyle: "innerHTML", swapDelay: 0, settleDelay: 0 });
  if (why === "refused") showState("failed", "not saved");
}

function drop() {
  [kept, trouble, nTries] = [null, "", 0];
  clearTimeout(timer);
}

/** Leave out the choice on which the server fails: the card is as it was. */
function leaveOut() {
  if (isSending) return;
  drop();
  tell("Left out: the last choice.");
  showState("failed", "not saved");
}

/** @param {Event} event @returns {boolean} whether it is about a choice, not about a third version that is drawn anew */
function isChoice({ detail }) {
  return detail.target?.id === "main" && detail.requestConfig.verb === "post" && Boolean(detail.requestConfig.parameters.get("take"));
}

/** @param {Event} event a request goes, or has to wait */
function onRequest(event) {
  if (event.detail.target?.id !== "main") return;
  if (kept) {
    event.preventDefault();
    show("Not taken: the last choice is not sent yet.");
  } else if (isChoice(event)) showState("saving", "saving");
}

/** @param {Event} event an answer that could not be used, or none; or one that leads to sign in */
function onFailed(event) {
  const { requestConfig, target, xhr } = event.detail;
  const goesTo = xhr.getResponseHeader("HX-Redirect") ?? "";
  if (event.type === "htmx:beforeOnLoad" && !(isChoice(event) && isToSignIn(goesTo))) return;
  if (isChoice(event)) {
    event.preventDefault();
    kept = { path: requestConfig.path, values: Object.fromEntries(requestConfig.parameters.entries()) };
    onUnsaved({ status: xhr.status, goesTo, html: "" });
  } else if (target?.id === "main") tell(xhr.status ? "The server could not show this. Try again." : "No connection. Try again.");
}

/** @param {Event} event finishing and leaving wait as well */
function onSubmit(event) {
  if (!kept || event.target.id === "card") return;
  event.preventDefault();
  event.stopImmediatePropagation();
  show("Not taken: the last choice is not sent yet.");
}

/** @param {Document} root */
export function init(root) {
  const retry = () => kept && send();
  root.addEventListener("submit", onSubmit, { capture: true });
  root.addEventListener("htmx:beforeRequest", onRequest);
  for (const name of ["htmx:beforeOnLoad", "htmx:sendError", "htmx:timeout", "htmx:responseError"]) root.addEventListener(name, onFailed);
  root.addEventListener("click", ({ target }) => {
    const way = target instanceof Element && target.closest("#strip [data-way]")?.dataset.way;
    if (way === "send") retry();
    if (way === "out") leaveOut();
  });
  root.addEventListener("visibilitychange", () => root.hidden || retry());
  root.addEventListener("signed-out", (event) => {
    if (!kept) return;
    event.preventDefault(); // the page stays, without the note, until it is sent
    onUnsaved({ status: 200, goesTo: "/accounts/", html: "" });
  });
  addEventListener("online", retry);
  addEventListener("beforeunload", (event) => kept && event.preventDefault());
}
