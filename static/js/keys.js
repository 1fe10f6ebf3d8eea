/** Keys press the button or link that shows them: `data-key`, or one of `data-also`; the card's before the page's. */

import { isBusy, isStale, refuse } from "./exchange.js";
import { areKeysOff } from "./shortcuts.js";

const NAMES = { "ctrl+z": "u", "ctrl+shift+z": "redo", "ctrl+y": "redo", "ctrl+Enter": "d" };
const SHIFTED = { U: "redo", R: "relate", N: "classify", L: "handback" };
const IN_QUEUE = { ArrowDown: "j", ArrowUp: "k", ArrowRight: "j", ArrowLeft: "k" };
const FIELDS = "input:not([type=hidden]), textarea, select, [contenteditable]";
let held = /** @type {string | null} */ (null);
let isHolding = false;

/** Keep the next key until the card of a new selection has come, so that it is not taken for the old one. */
export function holdKeys() {
  isHolding = true;
}

/** Let keys through again; the one that was held is pressed where it `isWanted`. @param {boolean} isWanted */
export function releaseKeys(isWanted) {
  const key = held;
  isHolding = false;
  held = null;
  if (key && isWanted) press(key);
}

/** @param {string} key @returns {HTMLElement | null} what it presses */
function targetOf(key) {
  const selector = `:is([data-key="${CSS.escape(key)}"], [data-also~="${CSS.escape(key)}"]):not(:disabled)`;
  return document.querySelector(`#card ${selector}`) ?? document.querySelector(selector);
}

/** @param {string} key @returns {boolean} whether something was pressed */
function press(key) {
  const target = targetOf(key);
  target?.click();
  return Boolean(target);
}

/** @param {KeyboardEvent} event @returns {string | null} the key as `data-key` writes it; null where it is typing */
function nameOf(event) {
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

/** @param {KeyboardEvent} event */
function onKeydown(event) {
  // A key that is held down presses nothing again, but for the bounds, which move on.
  if (event.repeat && event.key === "Enter" && event.target.closest("button, a")) event.preventDefault();
  const key = nameOf(event);
  if (!key || (key === "Enter" && event.target.id !== "note")) return;
  if (key === " ") event.preventDefault();
  if (event.repeat && !"[]{}".includes(key)) return;
  if (key === "c") {
    press(key); // at any time: what is typed next must not be taken for keys
  } else if (isHolding && key.length === 1) {
    held = key;
  } else if (isBusy() || isStale(event)) {
    if (!targetOf(key)) return; // Tab and the keys that scroll go on working
    if (!event.repeat) refuse(key === " " ? "Space" : key.toUpperCase());
  } else if (!press(key)) {
    return;
  }
  event.preventDefault();
}

/** @param {Document} root */
export function init(root) {
  root.addEventListener("keydown", onKeydown);
}
