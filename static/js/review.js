/** The review page: the span in focus, its leader, clicks on spans, and the lease. The server holds all other state. */

import { init as initAttention } from "./attention.js";
import { init as initComments } from "./comments.js";
import { init as initDrafts } from "./drafts.js";
import { init as initExact } from "./exact.js";
import { fetchCard, init as initExchange } from "./exchange.js";
import { init as initHandles, placeHandles } from "./handles.js";
import { init as initKeys } from "./keys.js";
import { init as initLease } from "./lease.js";
import { piecesOf } from "./marks.js";
import { markMissed } from "./missed.js";
import { init as initQueue, showInQueue } from "./queue.js";
import { init as initRegions, restoreFocus } from "./regions.js";
import { choose, init as initRelations, showTies } from "./relate.js";
import { init as initSame } from "./same.js";
import { cancelSelection, init as initSelection, isSelecting } from "./select.js";
import { tell } from "./status.js";

const note = document.getElementById("note");
let innermost = ""; // of the spans at the place that was chosen last

/** Ring the pieces of the span that the card is about, and bring it into view where it is not. */
function showFocus() {
  const key = document.getElementById("card")?.dataset.focus;
  const pieces = piecesOf(key);
  for (const piece of note.querySelectorAll("[data-current]")) {
    if (!pieces.includes(piece)) delete piece.dataset.current;
  }
  for (const piece of pieces) {
    if (!("current" in piece.dataset)) piece.dataset.current = "";
  }
  showInQueue(key);
  const first = pieces[0] ?? markMissed();
  if (first) scrollIfOutside(first);
  placeLeader(first);
  placeHandles(pieces);
  showTies();
}

/** @param {Element | Range} piece scrolled to the middle where it is outside the middle half of the pane */
function scrollIfOutside(piece) {
  const pane = document.getElementById("note-pane").getBoundingClientRect();
  const box = piece.getBoundingClientRect();
  const isInside = box.top > pane.top + pane.height / 4 && box.bottom < pane.bottom - pane.height / 4;
  if (isInside) return;
  if (piece instanceof Range) piece.startContainer.parentElement.scrollIntoView({ block: "center" });
  else piece.scrollIntoView({ block: "center" });
}

/** @param {Element | Range | undefined} piece */
function placeLeader(piece) {
  const leader = document.querySelector(".leader");
  leader.hidden = !piece;
  if (!piece) return;
  const pane = document.getElementById("note-pane");
  const box = piece.getClientRects()[0];
  const y = box.top + box.height / 2 - pane.getBoundingClientRect().top + pane.scrollTop;
  leader.style.setProperty("--leader-y", `${Math.round(y)}px`);
}

/** Open the innermost span at a place; chosen again, the one around it, and so on. @param {Element | null} place */
function openSpan(place) {
  const names = [];
  for (let mark = place?.closest("#note .span"); mark; mark = mark.parentElement.closest("#note .span")) {
    if (!names.includes(mark.dataset.span)) names.push(mark.dataset.span);
  }
  if (!names.length) return;
  const key = document.getElementById("card").dataset.focus;
  const focus = names.findIndex((name) => key?.startsWith(name));
  const name = focus === 0 || names[0] === innermost ? names[(focus + 1) % names.length] : names[0];
  innermost = names[0];
  cancelSelection();
  choose(name);
  fetchCard(`${document.getElementById("place").dataset.note}?focus=${name}`);
}

/** @param {MouseEvent} event */
function onClick(event) {
  if (!(event.target instanceof Element)) return;
  if (getSelection().isCollapsed) openSpan(event.target.closest("#note .span"));
  // A button that was clicked keeps no focus, so that the next Space skips and does not press it again.
  if (event.detail && event.target.closest(".actions button, #card a, #card button")) note.focus({ preventScroll: true });
}

/** @param {KeyboardEvent} event */
function onKeydown(event) {
  if (event.key === "Escape" && isSelecting()) cancelSelection();
  else if (event.key === "Enter" && event.target === note && !event.ctrlKey && !event.metaKey && getSelection().rangeCount) {
    openSpan(getSelection().getRangeAt(0).endContainer.parentElement);
  } else return;
  event.preventDefault();
}

/** A card has come: show what it is about, and put the focus where it was if the swap took it. */
function onCard() {
  if (!isSelecting() && !document.querySelector('#card input[name="fragments"]')) getSelection().removeAllRanges();
  showFocus();
  restoreFocus();
}

function init() {
  document.addEventListener("keydown", onKeydown);
  initExchange(document);
  initAttention(document);
  initComments(document);
  initDrafts(document);
  initExact(document);
  initHandles(document);
  initSelection(note);
  initQueue(document);
  initRegions(document);
  initRelations(document);
  initSame(document);
  initKeys(document);
  initLease(document, tell);
  showFocus();
  note.focus({ preventScroll: true });
  document.addEventListener("click", onClick);
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "card") onCard(); // it is told for every line that came along as well
  });
  document.addEventListener("card:drawn", onCard);
  addEventListener("resize", () => placeLeader(note.querySelector("[data-current]") ?? markMissed()));
}

init();
