/**
 * Relations: what ties the span in focus to others, drawn over the note, and the other end of one that is being drawn.
 * Markup in the card: data-tie="key of the span at the other end", data-way="out" or "in", data-words; and
 * input[name=relate] from the first span of a relation to its last, which goes along with every card until then.
 */

import { piecesOf } from "./marks.js";

const GAP_PX = 5; // under a mark, in the middle between two lines
const GUTTER_PX = 10; // left of the text
const note = document.getElementById("note");
let chosen = "";

/** True from the first span of a relation to the last. */
export function isRelating() {
  return document.querySelector("#card input[name=relate]") !== null;
}

/** Join with the span of that name once its card has come, if it can be meant in one way only. @param {string} name */
export function choose(name) {
  chosen = isRelating() ? name : "";
}

/** @param {Element} piece @returns {{x: number, y: number}} under its start, in the pane */
function under(piece) {
  const pane = document.getElementById("note-pane");
  const [frame, box] = [pane.getBoundingClientRect(), piece.getClientRects()[0]];
  return { x: box.left + 8 - frame.left + pane.scrollLeft, y: box.bottom - frame.top + pane.scrollTop };
}

/**
 * A line with an arrow that crosses no text: between two lines, and beside the text from the one to the other.
 * @param {Element} from @param {Element} to @returns {string}
 */
function route(from, to) {
  const [start, end] = [under(from), under(to)];
  const beside = under(note).x - GUTTER_PX - 8;
  const way = Math.abs(start.y - end.y) < GAP_PX ? "" : `H${beside}V${end.y + GAP_PX}`;
  return `M${start.x} ${start.y}v${GAP_PX}${way}H${end.x}V${end.y}m-3 3 3-3 3 3`;
}

/** Draw the relations of the span in focus: its ends marked and named, lines to them. */
export function showTies() {
  for (const piece of note.querySelectorAll("[data-related]")) delete piece.dataset.related;
  const card = document.getElementById("card");
  const [here] = piecesOf(card.dataset.focus);
  const lines = [];
  for (const { dataset } of here ? card.querySelectorAll("[data-tie]") : []) {
    const pieces = piecesOf(dataset.tie);
    if (!pieces.length) continue;
    const words = [pieces[0].dataset.related, dataset.words].filter(Boolean).join(", ");
    pieces.forEach((piece, number) => (piece.dataset.related = number ? "" : words));
    lines.push(dataset.way === "out" ? route(here, pieces[0]) : route(pieces[0], here));
  }
  document.querySelector(".tie-lines > path").setAttribute("d", lines.join(""));
}

/** The first span goes along with every card of the note until the last is chosen. @param {Event} event */
function goAlong({ detail }) {
  const first = document.querySelector("#card input[name=relate]");
  const [path, query = ""] = detail.path.split("?");
  if (detail.verb !== "get" || !first || path !== document.getElementById("place").dataset.note) return;
  if (detail.target?.id === "card" && !/(^|&)(relate|classify)=/.test(query)) detail.parameters.set("relate", first.value);
}

/** @param {Event} event */
function onAnswered({ detail }) {
  if (detail.target?.id !== "card" || !chosen) return;
  if (document.getElementById("card").dataset.focus.startsWith(chosen)) document.querySelector('#card [data-also~="Enter"]')?.click();
  chosen = "";
}

/** @param {Document} root */
export function init(root) {
  root.addEventListener("htmx:configRequest", goAlong);
  root.addEventListener("htmx:afterRequest", onAnswered);
  new ResizeObserver(showTies).observe(note);
}
