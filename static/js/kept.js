/** What is kept and why it is not sent: the state of the outbox, and what the page says of it. */

import { stripFor } from "./meaning.js";
import { markKept, QUEUED } from "./standin.js";
import { showState, tell } from "./status.js";

/**
 * `isTried`: the server may have it. `trouble`: why nothing is sent; `about`: since when, or what was refused.
 * @typedef {{path: string, values: Record<string, string>, words: string, isTried: boolean, isRenewed?: boolean}} Kept
 * @type {{kept: Kept[], trouble: string, about: string}}
 */
export const box = { kept: [], trouble: "", about: "" };

const DOWN = ["offline", "server"]; // one trouble to the person: the line came back before the server did

/** @param {string} why @returns {boolean} whether this is what the page says already */
export function isSame(why) {
  return why === box.trouble || (DOWN.includes(why) && DOWN.includes(box.trouble));
}

/** True while something is kept: what comes then goes behind it. */
export function hasKept() {
  return box.kept.length > 0;
}

/** True while the server cannot be asked for cards. */
export function isDown() {
  return hasKept() && DOWN.includes(box.trouble);
}

/** @returns {Map<string, string>} what was done to the targets of what is kept */
export function doneTo() {
  const aimed = box.kept.map(({ values }) => values).filter(({ target, classify }) => target && !classify);
  return new Map(aimed.map(({ target, verdict }) => [target, QUEUED[verdict] ?? "changed"]));
}

/** Say how things stand. @param {string} text in place of what is said otherwise: why something was not taken */
export function show(text = "") {
  markKept(doneTo());
  if (!hasKept()) return tell(text);
  showState("unsent", `${box.kept.length} not sent`);
  if (!box.trouble) return;
  const [usual, lead, ways] = stripFor(box.trouble, box.kept.length, box.about);
  tell(text || usual, text ? "" : lead, ways);
}
