/** Keeps the note in hand: its lease is renewed while a person types, clicks or scrolls. `#place` says by which address. */

import { renewToken } from "./send.js";

const RENEW_MS = 120_000;
let isActive = false;

/** @param {(why: string) => void} onLost */
async function renew(onLost) {
  const address = document.getElementById("place").dataset.renew;
  if (!isActive || !address) return;
  isActive = false;
  const headers = JSON.parse(document.body.getAttribute("hx-headers"));
  try {
    const answer = await fetch(address, { method: "POST", headers, redirect: "manual" });
    if (answer.status === 409) onLost(await answer.text());
    if (answer.status === 403 && !(await renewToken())) isActive = true; // signed in anew: told at the next turn
  } catch {
    // The line is down: what is saved next tells, and the lease lasts for several tries.
  }
}

/** @param {Document} root @param {(why: string) => void} onLost is told why the note is no longer in hand */
export function init(root, onLost) {
  for (const name of ["keydown", "pointerdown", "wheel"]) root.addEventListener(name, () => (isActive = true), { passive: true });
  setInterval(() => renew(onLost), RENEW_MS);
}
