/**
 * Says two minutes before that the person is going to be signed out, and leaves the page when they are. The server
 * counts, over all tabs: it is told when the person does something here, and asked when the time seems to be over.
 */

const WARN_SECONDS = 120;
const ASK_MS = 10_000; // while the warning is shown: another tab may have kept the session awake
const TELL_MS = 60_000;
const strip = document.getElementById("idle");
let endsAt = 0;
let toldAt = Date.now();
let timer = 0;

/** Leave the page, and what it shows, for the sign-in page; one that has something to save clears itself and stays. */
function leave() {
  if (!document.dispatchEvent(new CustomEvent("signed-out", { cancelable: true }))) return show(true, Infinity);
  document.body.replaceChildren();
  location.replace(`${strip.dataset.signIn}?${new URLSearchParams({ next: location.pathname })}`);
}

/** @param {boolean} isFinal whether the session ends whatever the person does @param {number} seconds */
function show(isFinal, seconds) {
  const isWarned = seconds <= WARN_SECONDS;
  if (strip.matches(":popover-open") !== isWarned) strip.togglePopover(isWarned);
  strip.querySelector("[data-stay]").hidden = isFinal;
  const words = seconds > 60 ? "You will be signed out in 2 minutes." : "You will be signed out in less than a minute.";
  const place = strip.querySelector("[role=alert]");
  const text = isWarned ? words : "";
  if (place.textContent !== text) place.textContent = text;
}

/** @param {number} seconds left @param {boolean} isFinal */
function plan(seconds, isFinal) {
  endsAt = Date.now() + seconds * 1000;
  show(isFinal, seconds);
  clearTimeout(timer);
  const wait = seconds > WARN_SECONDS ? (seconds - WARN_SECONDS) * 1000 : Math.min(ASK_MS, seconds * 1000);
  timer = setTimeout(ask, Math.max(wait, 1000));
}

/** Ask how long is left; by POST, say that the person is here. @param {"GET" | "POST"} method */
async function ask(method = "GET") {
  const headers = method === "POST" ? JSON.parse(document.body.getAttribute("hx-headers")) : { "Marginalia-Poll": "1" };
  try {
    const answer = await fetch(strip.dataset.ask, { method, headers, redirect: "manual" });
    if (answer.type === "opaqueredirect") return leave();
    if (answer.ok) {
      const { seconds, is_final } = await answer.json();
      return plan(seconds, is_final);
    }
  } catch {
    // The line is down: what the server said last holds.
  }
  const left = Math.ceil((endsAt - Date.now()) / 1000);
  if (left <= 0) return leave();
  plan(left, false);
}

/** Tell the server at most once a minute that the person works here, so that long typing is not idleness. */
function onInput() {
  if (Date.now() - toldAt < TELL_MS) return;
  toldAt = Date.now();
  ask("POST");
}

function init() {
  plan(Number(strip.dataset.seconds), false);
  strip.querySelector("[data-stay]").addEventListener("click", () => ask("POST"));
  for (const name of ["keydown", "pointerdown", "wheel"]) addEventListener(name, onInput, { passive: true });
  document.addEventListener("visibilitychange", () => document.hidden || ask()); // timers stand still in a sleeping machine
}

if (strip) init(); // nobody is signed in otherwise
