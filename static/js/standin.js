/**
 * Cards drawn from what the page has, where the server cannot be asked: the text of a span, its label and its place in
 * the queue, enough to accept, reject or skip it. Rows and spans whose decision is not sent yet say so (`data-kept`).
 */

import { piecesOf } from "./marks.js";

export const QUEUED = { accept: "accepted", reject: "rejected", skip: "skipped" };

/** @param {string} key @returns {string} what a span says; empty where the note has it no longer */
export function surfaceOf(key) {
  const parts = piecesOf(key).map((piece) => ("gap" in piece.dataset ? " … " : piece.textContent));
  return parts.join("").replace(/\s+/g, " ").trim();
}

/** @param {string} key @returns {string} label, attributes and state in words, as they are heard in the note */
function wordsOf(key) {
  const codes = piecesOf(key).map((piece) => piece.querySelector(":scope > .tail > .code"));
  return (codes.find(Boolean)?.dataset.words ?? "").replace(/^ \(|\)$/g, "");
}

/** @returns {string[]} the keys of the queue as far as the page shows it, in its order */
function queue() {
  return [...document.querySelectorAll("#queue [data-span-key]")].map((row) => row.dataset.spanKey);
}

/** @param {string} key @param {Map<string, string>} kept @returns {string} the next that waits for a decision, or none */
export function nextOpen(key, kept) {
  const keys = queue();
  const at = keys.indexOf(key);
  return [...keys.slice(at + 1), ...keys.slice(0, at + 1)].find((other) => !kept.has(other)) ?? "";
}

/** @param {string} key @param {number} step @returns {string} the neighbour in the queue, round its end */
function neighbour(key, step) {
  const keys = queue();
  const at = keys.indexOf(key);
  return at < 0 ? keys[0] ?? "" : keys[(at + step + keys.length) % keys.length];
}

/** Draw the card of a link. @param {string} path @param {Map<string, string>} kept @returns {boolean} whether it is a span's */
export function drawLinked(path, kept) {
  const { pathname, searchParams } = new URL(path, location.origin);
  if (pathname !== document.getElementById("place").dataset.note) return false;
  const step = Number(searchParams.get("step"));
  const name = searchParams.get("focus") || neighbour(document.getElementById("card").dataset.focus, step);
  const key = [...queue(), ...kept.keys()].find((known) => known.startsWith(name)) ?? name;
  drawCard(key, kept.get(key));
  return true;
}

/** Mark what is decided and not sent, and nothing else. @param {Map<string, string>} kept what was done, by key */
export function markKept(kept) {
  for (const place of document.querySelectorAll("#queue [data-span-key], #note [data-span]")) {
    const name = place.dataset.spanKey ?? place.dataset.span;
    const [, done] = [...kept].find(([key]) => key.startsWith(name)) ?? [];
    if (done) place.dataset.kept = done;
    else if ("kept" in place.dataset) delete place.dataset.kept;
  }
}

/** Around the first piece, within its line. @param {HTMLElement} card @param {HTMLElement} piece */
function quote(card, piece) {
  const line = piece.closest(".line");
  const [before, after] = [new Range(), new Range()];
  before.setStart(line, 0);
  before.setEndBefore(piece);
  after.setStartAfter(piece);
  after.setEnd(line, line.childNodes.length);
  card.querySelector("[data-before]").textContent = before.toString().slice(-60).replace(/^\S{1,20}\s/, "");
  card.querySelector("[data-after]").textContent = after.toString().slice(0, 60).replace(/\s\S{1,20}$/, " ");
}

/** The same form as the server's keys have. @returns {string} */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Put a card in the place of the one that is shown. @param {string} key @param {string | undefined} done not sent yet */
export function drawCard(key, done) {
  const card = document.getElementById("stand-in").content.firstElementChild.cloneNode(true);
  const [pieces, place] = [piecesOf(key), queue().indexOf(key) + 1];
  const words = pieces.length ? wordsOf(key) : "";
  const isOpen = place > 0 && pieces.length > 0 && !done;
  const isMasked = isOpen && "masked" in pieces[0].dataset;
  card.dataset.focus = card.dataset.back = pieces.length ? key : "";
  card.querySelector("[name=key]").value = newKey();
  card.querySelector("[name=target]").value = pieces.length && pieces[0].dataset.span !== key ? key : ""; // a name alone is no target
  const wanted = isMasked ? "masked" : isOpen ? "open" : done ? "kept" : pieces.length ? "yours" : "none";
  const title = {
    open: `Suggestion ${place} of ${document.getElementById("queue-count").textContent}`,
    masked: `Audit, ${place} of ${document.getElementById("queue-count").textContent}`,
    kept: `${done?.[0].toUpperCase()}${done?.slice(1)}, not sent`,
    yours: "Your span",
    none: "Nothing to decide now",
  }[wanted];
  card.querySelector("h2").textContent = title;
  document.getElementById("told").textContent = pieces.length ? `${title}: ${surfaceOf(key)}, ${words}.` : `${title}.`;
  for (const part of card.querySelectorAll("[data-for]")) {
    if (!part.dataset.for.split(" ").includes(wanted)) part.remove();
  }
  if (!pieces.length) card.querySelectorAll("blockquote, section:has([data-words])").forEach((part) => part.remove());
  else {
    const mark = card.querySelector("mark");
    mark.textContent = surfaceOf(key);
    mark.dataset.state = pieces[0].dataset.state;
    mark.classList.add(...pieces[0].classList);
    card.querySelector("[data-words]").textContent = words;
    quote(card, pieces[0]);
  }
  for (const button of document.querySelectorAll("#actions button")) {
    const isOffered = isOpen && button.value in QUEUED && !(isMasked && button.value === "accept");
    button.disabled = button.value !== "undo" && !isOffered;
  }
  document.getElementById("card").replaceWith(card);
  if (document.activeElement?.id !== "remark") document.getElementById("remarks").replaceChildren(); // of another span
  htmx.process(card);
  card.dispatchEvent(new CustomEvent("card:drawn", { bubbles: true }));
}

/** Take the note off the page, as for anyone who comes by. @param {string} title @param {string} text why */
export function clearNote(title, text) {
  for (const id of ["note", "queue-list", "queue-filters", "actions", "progress", "remarks", "told"]) document.getElementById(id).replaceChildren();
  for (const part of document.querySelectorAll(".note-head, .note-place, .crumbs > :last-child")) part.remove();
  document.getElementById("queue-count").textContent = "0";
  drawCard("", undefined);
  const card = document.getElementById("card");
  card.querySelector("h2").textContent = title;
  card.querySelectorAll(".card-head a").forEach((step) => step.remove());
  card.querySelector("[data-for] p").textContent = text;
}
