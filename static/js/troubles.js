/** What is in the way of saving, in words. */

import { isSealed } from "./send.js";

/** What is said first, and how it goes on. @type {Record<string, [string, string]>} */
const SAID = {
  offline: ["Offline since ABOUT.", "KEPT in this page and will be sent when the connection returns."],
  server: ["No answer from the server since ABOUT.", "KEPT in this page and will be sent as soon as it answers."],
  fault: ["The server failed to save at ABOUT.", "KEPT in this page and will be sent again."],
  refused: ["Not saved: ABOUT.", "KEPT in this page."],
  "signed out": ["You have been signed out.", "KEPT in this page and will be sent when you have signed in in another tab."],
  "someone else": ["Someone else has signed in here.", "KEPT in this page and will be sent when you have signed in in another tab."],
};

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
