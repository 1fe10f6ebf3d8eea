/** Posts a decision beside htmx, and finds out who is signed in when the server does not take the page's token. */

const TIMEOUT_MS = 20_000;
const GATEWAY = [502, 503, 504];
const WAITS_MS = [2000, 4000, 8000, 16_000, 32_000, 60_000];
/** @typedef {{status: number, goesTo: string, html: string}} Answer `status` 0 where none came */

/** @param {string} path @param {Record<string, string>} values @returns {Promise<Answer>} */
export async function post(path, values) {
  const headers = { ...JSON.parse(document.body.getAttribute("hx-headers")), "HX-Request": "true", "HX-Current-URL": location.href };
  const { csrfmiddlewaretoken, ...body } = values; // it may be an old one, and comes before the header's
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await fetch(path, { method: "POST", headers, body: new URLSearchParams(body), signal });
    return { status: answer.status, goesTo: answer.headers.get("HX-Redirect") ?? "", html: await answer.text() };
  } catch {
    return { status: 0, goesTo: "", html: "" };
  }
}

/** @param {string} goesTo @returns {boolean} whether an answer leads away to sign in, so that nothing was saved */
export function isToSignIn(goesTo) {
  return goesTo.startsWith("/accounts/");
}

/**
 * Why an answer is no saved decision: "" where it is one, "refused" where the server has said why.
 * @param {Answer} answer @returns {"" | "offline" | "server" | "fault" | "signed out" | "token" | "refused"}
 */
export function troubleOf({ status, goesTo }) {
  if (status === 0) return navigator.onLine ? "server" : "offline";
  if (GATEWAY.includes(status)) return "server";
  if (status === 403) return "token";
  if (status === 409 || status === 422) return "refused";
  if (status >= 400) return "fault";
  return isToSignIn(goesTo) ? "signed out" : "";
}

/**
 * Take the token of whoever is signed in now, if it is the same person: they signed in anew in another tab.
 * @returns {Promise<"" | "server" | "signed out" | "someone else">} what is in the way
 */
export async function renewToken() {
  try {
    const address = document.getElementById("place").dataset.note;
    const answer = await fetch(address, { headers: { "Marginalia-Poll": "1" }, redirect: "manual" });
    if (answer.type === "opaqueredirect") return "signed out";
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const [theirs, ours] = [page, document].map((root) => root.querySelector(".avatar")?.getAttribute("aria-label"));
    if (!theirs) return "server";
    if (theirs !== ours) return "someone else";
    document.body.setAttribute("hx-headers", page.body.getAttribute("hx-headers"));
    const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
    for (const field of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) field.value = token;
    return "";
  } catch {
    return "server";
  }
}

/** Whether whoever sits here now may not read the note. @param {string} trouble @returns {boolean} */
export function isSealed(trouble) {
  return trouble === "signed out" || trouble === "someone else";
}

/** @param {number} nTries @param {string} trouble @returns {number} milliseconds to the next try; shorter where a person signs in */
export function waitAfter(nTries, trouble) {
  const wait = WAITS_MS[Math.min(nTries, isSealed(trouble) ? 2 : WAITS_MS.length - 1)];
  return wait * (0.75 + Math.random() / 2); // not all readers at once
}
