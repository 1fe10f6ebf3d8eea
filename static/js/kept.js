/** What is kept and why it is not sent: the state of the outbox, and what the page says of it. */

import { markKept, QUEUED } from "./standin.js";
import { GOOD, showState, tell } from "./status.js";
import { stripFor } from "./troubles.js";

/**
 * `isTried`: the server may have it. `trouble`: why nothing is sent; `about`: since when, or what was refused.
 * `revealed`: what the model says of spans that were decided without it, not told yet.
 * @typedef {{path: string, values: Record<string, string>, words: string, isTried: boolean, isRenewed?: boolean}} Kept
 * @type {{kept: Kept[], trouble: string, about: string, revealed: string[]}}
 */
export const box = { kept: [], trouble: "", about: "", revealed: [] };

const DOWN = ["offline", "server"]; // one trouble to the person: the line came back before the server did
const OF_NOTE = ["undo", "redo", "note_done"];

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

/** @returns {Map<string, string>} what was done to the targets of what is kept, but for what is about the note */
export function doneTo() {
  const aimed = box.kept.map(({ values }) => values).filter(({ target, classify, verdict }) => target && !classify && !OF_NOTE.includes(verdict));
  return new Map(aimed.map(({ target, verdict }) => [target, QUEUED[verdict] ?? "changed"]));
}

/** A label of the note says which value of it is not sent yet. */
function markValues() {
  const asked = new Map(box.kept.flatMap(({ values }) => (values.classify ? [values.classify.split("=")] : [])));
  for (const place of document.querySelectorAll("#note-values [data-label]")) {
    const value = asked.get(place.dataset.label);
    if (value !== undefined) place.dataset.kept = value || "taken back";
    else if ("kept" in place.dataset) delete place.dataset.kept;
  }
}

/** @returns {string[]} what was revealed and is not on the card, once */
function untold() {
  const { textContent } = document.getElementById("card");
  return box.revealed.splice(0).filter((said) => !textContent.includes(said));
}

/** Say how things stand. @param {string} text in place of what is said otherwise: why something was not taken */
export function show(text = "") {
  markKept(doneTo());
  markValues();
  if (!hasKept()) {
    const revealed = untold();
    return tell([text, ...revealed].join(" ").trim(), revealed.length && !text ? GOOD : "");
  }
  showState("unsent", `${box.kept.length} not sent`);
  if (!box.trouble) return;
  const [usual, lead, ways] = stripFor(box.trouble, box.kept.length, box.about);
  tell(text || usual, text ? "" : lead, ways);
}
