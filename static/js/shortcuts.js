/**
 * Single-key shortcuts can be turned off (WCAG 2.1.4), for this browser; the page says so while they are.
 * Markup: input[data-keys-switch] in the help, button[data-keys-on] in the top bar. theme.js applies the choice early.
 */

import { prefer, preference } from "./preferences.js";

/** True where no key without Ctrl or Cmd may do anything, but those that every page has. */
export function areKeysOff() {
  return document.documentElement.dataset.keys === "off";
}

/** @param {boolean} isOff */
function show(isOff) {
  if (isOff) document.documentElement.dataset.keys = "off";
  else delete document.documentElement.dataset.keys;
  for (const input of document.querySelectorAll("[data-keys-switch]")) input.checked = !isOff;
}

/** @param {boolean} isOff */
function turn(isOff) {
  prefer("keys", isOff ? "off" : "");
  show(isOff);
}

/** @param {Document} root */
export function init(root) {
  root.addEventListener("change", ({ target }) => {
    if (target instanceof HTMLInputElement && target.matches("[data-keys-switch]")) turn(!target.checked);
  });
  root.addEventListener("click", ({ target }) => {
    if (target instanceof Element && target.closest("[data-keys-on]")) turn(false);
  });
  addEventListener("storage", ({ key }) => {
    if (key === "keys") show(preference("keys") === "off"); // chosen in another tab
  });
  show(areKeysOff());
}
