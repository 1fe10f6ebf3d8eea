/** Choices of this browser, never anything of a note. Where storage is off they last for the page. */

/** @type {Map<string, string>} */
const kept = new Map();

/** @param {string} name @returns {string} empty where nothing was chosen */
export function preference(name) {
  try {
    return localStorage.getItem(name) ?? "";
  } catch {
    return kept.get(name) ?? "";
  }
}

/** @param {string} name @param {string} value empty forgets the choice */
export function prefer(name, value) {
  kept.set(name, value);
  try {
    if (value) localStorage.setItem(name, value);
    else localStorage.removeItem(name);
  } catch {
    // Storage is off: the choice lasts for this page.
  }
}
