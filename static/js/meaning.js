/** Decisions that are not saved, in words. */

import { isSealed } from "./send.js";
import { QUEUED, surfaceOf } from "./standin.js";

const NAMES = { accept: "Accept", reject: "Reject", skip: "Skip", undo: "Undo", note_done: "Note done" };

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
 * Why a decision may not be kept behind others; empty where it may: one for each span, which needs no answer.
 * @param {Record<string, string>} values @param {string} trouble @param {Map<string, string>} done @returns {string}
 */
export function whyNot({ verdict, target }, trouble, done) {
  if (isSealed(trouble)) return "sign in first.";
  if (verdict === "undo") return "the last decision may have reached the server. Undo it when it is sent.";
  if (target && done.has(target)) return "the last decision on this span is not sent yet.";
  return verdict in QUEUED && target ? "" : "until the rest is sent you can accept, reject and skip.";
}
