/** Keys press the button or link that shows them: `data-key`, or one of `data-also`; the card's before the page's. */

import { isBusy, isStale, refuse } from "./exchange.js";
import { nameOf, press, targetOf } from "./pressing.js";

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
