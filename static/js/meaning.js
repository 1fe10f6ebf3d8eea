/** Decisions that are not saved, in words. */

import { isSealed } from "./send.js";
import { QUEUED, surfaceOf } from "./standin.js";

const NAMES = { accept: "Accept", reject: "Reject", skip: "Skip", undo: "Undo", note_done: "Note done" };
/** What is said first, and how it goes on. @type {Record<string, [string, string]>} */
const SAID = {
  offline: ["Offline since ABOUT.", "KEPT in this page and will be sent when the connection returns."],
  server: ["No answer from the server since ABOUT.", "KEPT in this page and will be sent as soon as it answers."],
  fault: ["The server failed to save at ABOUT.", "KEPT in this page and will be sent again."],
  refused: ["Not saved: ABOUT.", "KEPT in this page."],
  "signed out": ["You have been signed out.", "KEPT in this page and will be sent when you have signed in in another tab."],
  "someone else": ["Someone else has signed in here.", "KEPT in this page and will be sent when you have signed in in another tab."],
};

/** @param {Record<string, string>} values of a decision @param {boolean} withText @returns {string} what was meant */
export function meaningOf(values, withText = true) {
  const { verdict, label, attribute, relation, unrelate, classify, target, fragments, leaving } = values;
  if (classify) return `${classify.replace(/=$/, " taken back").replace("=", " ")} for the note`;
  const tie = relation ? `relation ${relation.replace(/^\w+:/, "")}` : unrelate && "relation removed";
  const change = label ? `label ${label}` : attribute ? attribute.replace("=", " ") : tie || "new bounds";
  const what = NAMES[verdict] ?? (leaving ? "Next span" : fragments ? `new span, ${change}` : change);
  const text = withText && target ? surfaceOf(target) : "";
  return text ? `${what} “${text.length > 40 ? `${text.slice(0, 39)}…` : text}”` : what;
}

/**
 * What the strip says, and its ways out.
 * @param {string} trouble @param {number} n decisions kept @param {string} about a time, or what was meant
 * @returns {[string, string, Record<string, string>]}
 */
export function stripFor(trouble, n, about) {
  const [lead, text] = SAID[trouble];
  const ways = { send: trouble === "refused" ? "Send the rest" : "Try now" };
  if (trouble === "fault") ways.out = n > 1 ? "Leave out the first" : "Leave it out";
  if (isSealed(trouble)) ways.in = "Sign in";
  const are = n === 1 ? "1 decision is kept" : `${n} decisions are kept`;
  return [text.replace("KEPT", are), lead.replace("ABOUT", () => about), ways];
}

/**
 * Why a decision may not be kept behind others; empty where it may: one for each span, which needs no answer.
 * @param {Record<string, string>} values @param {string} trouble @param {Map<string, string>} done @returns {string}
 */
export function whyNot({ verdict, target }, trouble, done) {
  if (isSealed(trouble)) return "sign in first.";
  if (verdict === "undo") return "the last decision may have reached the server. Undo it when it is sent.";
  if (target && done.has(target)) return "the last decision on this span is not sent yet.";
  return verdict in QUEUED && target ? "" : "until the rest is sent you can accept, reject and skip.";
}
