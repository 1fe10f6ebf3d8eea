/**
 * Decisions that were not saved, kept in the page's memory: sent again by themselves, in their order, one at a time,
 * each under the key it was made with, so that it counts once. Where one is refused the rest waits for the person.
 */

import { keepRevealed, leave, putAside, showAnswer } from "./answer.js";
import { box, doneTo, hasKept, isSame, show } from "./kept.js";
import { meaningOf, whyNot } from "./meaning.js";
import { isSealed, post, renewToken, troubleOf, waitAfter } from "./send.js";
import { clearNote, drawCard, nextOpen, QUEUED } from "./standin.js";
import { clock, showState, tell } from "./status.js";

const sent = /** @type {Set<string>} */ (new Set()); // the targets of what was sent since all was well
let [nTries, timer] = [0, 0];
let isSending = false;
let onward = ""; // where the last answer leads
let fetchCard = /** @type {(key: string) => void} */ (() => {});

/** Keep a decision behind the others, or take the last back. @param {string} path @param {Record<string, string>} values */
export function keep(path, values) {
  const last = box.kept[box.kept.length - 1];
  if (values.verdict === "undo" && last && !last.isTried) {
    box.kept.pop();
    drawCard(last.values.target, undefined);
    return show();
  }
  const why = hasKept() ? whyNot(values, box.trouble, doneTo()) : "";
  if (why) return show(`Not taken: ${why}`);
  add(path, values, false);
  if (!box.trouble) sendAll();
}

/** Keep what an answer has not saved. @param {Answer} answer @param {string} path @param {Record<string, string>} values */
export function keepUnsaved(answer, path, values) {
  onUnsaved(add(path, values, true), answer);
}

/** Go on from a decision: to the next of the queue where it was one of the queue's. @returns {Kept} */
function add(path, values, isTried) {
  const entry = { path, values, words: meaningOf(values), isTried };
  box.kept.push(entry);
  const [done, { target }] = [doneTo(), values];
  if (values.verdict in QUEUED && target) drawCard(nextOpen(target, done), undefined);
  else drawCard(target, target ? done.get(target) : "kept");
  document.getElementById("told").prepend(`${entry.words}, not sent. `);
  show();
  return entry;
}

/** Send what is kept, one after the other, until one is not saved. */
export async function sendAll() {
  clearTimeout(timer);
  if (isSending) return;
  isSending = true;
  while (hasKept()) {
    const [first] = box.kept;
    first.isTried = true;
    const answer = await post(first.path, first.values);
    if (troubleOf(answer)) {
      isSending = false;
      return onUnsaved(first, answer);
    }
    box.kept.shift();
    nTries = 0;
    keepRevealed(answer.html);
    onward = answer.goesTo || (isSealed(box.trouble) ? location.pathname : "");
    if (onward) continue;
    if (first.values.target) sent.add(first.values.target);
    putAside(answer.html);
    if (!hasKept()) onAllSent(answer.html);
    show();
  }
  isSending = false;
  if (onward) leave(onward);
}

/** @param {string} html the last answer, with the card that the server would show */
function onAllSent(html) {
  box.trouble = "";
  showState("saved", `saved ${clock(true)}`);
  const { focus = "", standIn } = document.getElementById("card").dataset;
  if (sent.has(focus) || standIn !== undefined && !focus) showAnswer(html);
  else if (standIn !== undefined) fetchCard(focus);
  sent.clear();
}

/** @param {Kept} first @param {Answer} answer that has not saved it */
async function onUnsaved(first, answer) {
  let why = troubleOf(answer);
  if (why === "refused") return onRefused(first, answer.html);
  if (why === "token") {
    why = first.isRenewed ? "fault" : await renewToken();
    first.isRenewed = !why;
    if (!why) return sendAll();
  }
  if (!isSame(why)) onTrouble(why);
  clearTimeout(timer);
  timer = setTimeout(sendAll, waitAfter(nTries++, why));
}

/** Another trouble than before; what is said meanwhile of the same one stays. @param {string} why */
function onTrouble(why) {
  box.trouble = why;
  box.about = clock(false);
  if (isSealed(why)) clearNote("Sign in to go on", "The note is not shown while nobody, or someone else, is signed in here.");
  show();
}

/** @param {Kept} first @param {string} html why the server does not take it */
function onRefused(first, html) {
  const isTaken = !html.includes('name="key"'); // the note is not this person's any more, nor is its text
  const lost = isTaken ? box.kept.splice(0) : box.kept.splice(0, 1);
  box.about = isTaken ? lost.map(({ values }) => meaningOf(values, false)).join(", ") : first.words;
  box.trouble = hasKept() ? "refused" : "";
  showAnswer(html);
  show(hasKept() ? "" : `Not saved: ${box.about}.`);
  if (!hasKept()) showState("failed", lost.length > 1 ? `${lost.length} not saved` : "not saved");
}

/** Drop the decision on which the server fails. */
function leaveOut() {
  if (isSending) return;
  const [{ words }] = box.kept.splice(0, 1);
  show(`Left out: ${words}.`);
  sendAll();
}

/** @param {(key: string) => void} fetchCard_ from the server, once it answers again */
export function init(fetchCard_) {
  fetchCard = fetchCard_;
  const retry = () => hasKept() && box.trouble !== "refused" && sendAll();
  document.querySelector("#strip [data-way=send]").addEventListener("click", sendAll);
  document.querySelector("#strip [data-way=out]").addEventListener("click", leaveOut);
  addEventListener("online", retry);
  document.addEventListener("visibilitychange", () => document.hidden || retry());
  document.addEventListener("signed-out", (event) => {
    if (!hasKept()) return;
    event.preventDefault(); // the page stays, without the note, until they are sent
    onUnsaved(box.kept[0], { status: 200, goesTo: "/accounts/", html: "" });
  });
  addEventListener("beforeunload", (event) => hasKept() && event.preventDefault());
}
