/** What is shown of the answer to a decision that was kept. */

import { box } from "./kept.js";
import { clearNote } from "./standin.js";
import { clock, GOOD, showState, tell } from "./status.js";

/** @param {string} html */
function read(html) {
  return new DOMParser().parseFromString(html, "text/html");
}

/** Keep what it reveals of a span that was decided without it, to be told when all is sent. @param {string} html */
export function keepRevealed(html) {
  const said = read(html).querySelector("[data-revealed]");
  if (said) box.revealed.push(said.textContent);
}

/** Show the parts beside the card: the card is the one that the person looks at. @param {string} html */
export function putAside(html) {
  for (const part of read(html).querySelectorAll("[hx-swap-oob]:not(#actions, #remarks, #told)")) {
    const [, where] = part.getAttribute("hx-swap-oob").split(/:(.*)/);
    const place = document.querySelector(where ?? `#${part.id}`);
    place?.replaceChildren(...part.childNodes);
    if (place) htmx.process(place);
  }
}

/** Show the card of an answer, and all else in it. @param {string} html */
export function showAnswer(html) {
  htmx.swap("#card", html, { swapStyle: "outerHTML", swapDelay: 0, settleDelay: 0 });
  document.getElementById("card").dispatchEvent(new CustomEvent("card:drawn", { bubbles: true }));
}

/** Go where the last answer leads, once what was revealed has been read. @param {string} address */
export function leave(address) {
  const revealed = box.revealed.splice(0);
  if (!revealed.length) return location.assign(address);
  clearNote("Saved", "All that was decided here is saved.");
  showState("saved", `saved ${clock(true)}`);
  tell(revealed.join(" "), GOOD, { send: "Go on" });
  document.querySelector("#strip [data-way=send]").focus();
}
