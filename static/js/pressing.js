/** Which key was pressed, as `data-key` writes it, and what it presses: `data-key`, or one of `data-also`; the card's before the page's. */

import { areKeysOff } from "./shortcuts.js";

const NAMES = { "ctrl+z": "u", "ctrl+shift+z": "redo", "ctrl+y": "redo", "ctrl+Enter": "d" };
const SHIFTED = { U: "redo", R: "relate", N: "classify", L: "handback" };
const IN_QUEUE = { ArrowDown: "j", ArrowUp: "k", ArrowRight: "j", ArrowLeft: "k" };
const FIELDS = "input:not([type=hidden]), textarea, select, [contenteditable]";

/** @param {string} key @returns {HTMLElement | null} what it presses */
export function targetOf(key) {
  const selector = `:is([data-key="${CSS.escape(key)}"], [data-also~="${CSS.escape(key)}"]):not(:disabled)`;
  return document.querySelector(`#card ${selector}`) ?? document.querySelector(selector);
}

/** @param {string} key @returns {boolean} whether something was pressed */
export function press(key) {
  const target = targetOf(key);
  target?.click();
  return Boolean(target);
}

/** @param {KeyboardEvent} event @returns {string | null} the key as `data-key` writes it; null where it is typing */
export function nameOf(event) {
  const target = /** @type {Element} */ (event.target);
  if (event.defaultPrevented || document.querySelector("dialog[open]") || target.closest(FIELDS)) return null;
  const key = event.key;
  const isCombined = (event.ctrlKey || event.metaKey) && !event.altKey; // both: AltGr, which only writes
  if (key.length === 1 && !isCombined && areKeysOff()) return null;
  if ("[]{}".includes(key)) return key; // on some keyboards these need Ctrl and Alt
  if (event.altKey) return null;
  const shift = event.shiftKey ? "shift+" : "";
  if (event.ctrlKey || event.metaKey) return NAMES[`ctrl+${shift}${key.length === 1 ? key.toLowerCase() : key}`] ?? null;
  if (event.shiftKey && SHIFTED[key]) return SHIFTED[key];
  if (key === " " && target.closest("button, summary, a:not(#queue a)")) return null;
  if (target.closest("#queue [data-span-key]") && IN_QUEUE[key]) return IN_QUEUE[key];
  return key.length === 1 ? key.toLowerCase() : key;
}
