/** Keys press the button or link that shows them: `data-key`, the card's before the page's. */

const NAMES = { "ctrl+z": "u", "ctrl+Enter": "d" };
let held = /** @type {string | null} */ (null);
let isWaiting = false;

/** Keep the next key until the card of a new selection has come, so that it is not taken for the old one. */
export function holdKeys() {
  isWaiting = true;
}

/** Let keys through again, the one that was held first. */
export function releaseKeys() {
  isWaiting = false;
  const key = held;
  held = null;
  if (key) press(key);
}

/** @param {string} key @returns {boolean} whether something was pressed */
function press(key) {
  const selector = `[data-key="${CSS.escape(key)}"]:not(:disabled)`;
  const target = document.querySelector(`#card ${selector}`) ?? document.querySelector(selector);
  target?.click();
  return Boolean(target);
}

/** @param {KeyboardEvent} event @returns {string | null} the key as `data-key` writes it; null where it is typing */
function nameOf(event) {
  const target = /** @type {Element} */ (event.target);
  if (event.defaultPrevented || event.altKey || document.querySelector("dialog[open]")) return null;
  if (target.closest("input:not([type=hidden]), textarea, select, [contenteditable]")) return null;
  const key = event.key;
  if (event.ctrlKey || event.metaKey) return NAMES[`ctrl+${key}`] ?? null;
  if (key === " " && target.closest("button, a, summary")) return null;
  return key.length === 1 ? key.toLowerCase() : key;
}

/** @param {Document} root */
export function init(root) {
  root.addEventListener("keydown", (event) => {
    const key = nameOf(event);
    if (!key || key === "Enter" || event.repeat && !"[]{}".includes(key)) return;
    if (isWaiting) {
      held = key.length === 1 ? key : held;
    } else if (press(key)) {
      event.preventDefault();
    }
  });
}
