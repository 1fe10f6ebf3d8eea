/** What the page says about saving: the corner of the action bar, the strip above it, and both to those who hear it. */

export const GOOD = "Saved."; // the lead of what is no trouble
const SAY_EVERY_MS = 5000;
let saidAt = -SAY_EVERY_MS;
let timer = 0;
let isTroubled = false;

/** @param {boolean} withSeconds @returns {string} the time of day here */
export function clock(withSeconds) {
  const two = "2-digit";
  return new Date().toLocaleTimeString("en-GB", { hour: two, minute: two, ...(withSeconds && { second: two }) });
}

/** Say it, at most one thing in five seconds: the newest. @param {string} text */
function say(text) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    saidAt = performance.now();
    document.getElementById("save-said").textContent = text;
  }, Math.max(saidAt + SAY_EVERY_MS - performance.now(), 0));
}

/**
 * In the corner. It is said where it is not as always: each decision is heard already, in `#told`.
 * @param {"saving" | "saved" | "unsent" | "failed"} state @param {string} text
 */
export function showState(state, text) {
  const place = document.getElementById("saved");
  const drawn = document.getElementById("save-states").content.querySelector(`[data-state="${state}"]`).cloneNode(true);
  drawn.append(text);
  place.replaceChildren(drawn);
  if (state === "saving") return;
  if (isTroubled || state !== "saved") say(text);
  isTroubled = state !== "saved";
}

/**
 * In the strip; nothing hides it. What has the same lead is one trouble, which is an alert once.
 * @param {string} text @param {string} lead said first @param {Record<string, string>} ways out: their name and words
 */
export function tell(text, lead = "", ways = {}) {
  const strip = document.getElementById("strip");
  strip.hidden = !(lead || text);
  strip.toggleAttribute("data-good", lead === GOOD);
  for (const way of strip.querySelectorAll("[data-way]")) {
    way.hidden = !(way.dataset.way in ways);
    if (!way.hidden) way.textContent = ways[way.dataset.way];
  }
  const [head, rest] = strip.querySelectorAll("[data-lead], [data-text]");
  const isNew = !lead || head.textContent !== lead;
  if (head.textContent !== lead) head.textContent = lead;
  if (rest.textContent !== text) rest.textContent = text;
  if (isNew) document.getElementById("strip-said").textContent = `${lead} ${text}`.trim();
}
