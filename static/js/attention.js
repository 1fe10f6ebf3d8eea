/**
 * How long a person works on a decision: seconds in which the page has the focus and a hand moved within the last half
 * minute. They go along with the decision, also where it has to wait; one that is refused gives them back.
 */

const IDLE_MS = 30_000;
const TICK_MS = 1_000;
const REFUSED = [409, 422];
let seconds = 0;
let sent = 0;
let movedAt = 0;
let countedAt = 0;

/** Add the time since the last count, as far as it was work. @param {number} now */
function count(now) {
  const isAtWork = document.hasFocus() && document.visibilityState === "visible" && now - movedAt < IDLE_MS;
  if (isAtWork) seconds += Math.min(now - countedAt, IDLE_MS) / 1000;
  countedAt = now;
}

/** @param {Document} root */
export function init(root) {
  countedAt = movedAt = performance.now();
  for (const name of ["keydown", "pointerdown", "pointermove", "wheel"]) {
    root.addEventListener(name, () => {
      const now = performance.now();
      count(now);
      movedAt = now;
    }, { passive: true, capture: true });
  }
  root.addEventListener("visibilitychange", () => count(performance.now()));
  setInterval(() => count(performance.now()), TICK_MS);
  root.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.verb !== "post" || event.detail.elt.id !== "card") return;
    count(performance.now());
    event.detail.parameters.set("active_seconds", seconds.toFixed(1));
    sent = seconds;
    seconds = 0;
  });
  root.addEventListener("htmx:afterRequest", (event) => {
    const { elt, requestConfig, xhr } = event.detail;
    if (elt.id === "card" && requestConfig.verb === "post" && REFUSED.includes(xhr.status)) seconds += sent;
  });
}
