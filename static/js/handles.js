/**
 * The handles at both ends of the span in focus. They lie over the note, so that neither its text nor its layout
 * changes. Dragged, they move a boundary by token, or by character where exact; let go, that is one decision.
 */

import { isExact } from "./exact.js";
import { isBusy } from "./exchange.js";
import { caretAt, codePoints, noteOffset, positionOf, startOf, unitsOf } from "./offsets.js";
import { charactersOf, tokensOf } from "./tokens.js";

const pane = document.getElementById("note-pane");
const note = document.getElementById("note");
const highlight = "highlights" in CSS ? new Highlight() : null;
let pieces = /** @type {HTMLElement[]} */ ([]);
let drag = /** @type {{edge: string, was: Object, now: Object} | null} */ (null);

/** @returns {{start: number, firstEnd: number, lastStart: number, end: number}} the span in focus, in code points */
function hull() {
  const own = pieces.filter((piece) => !("gap" in piece.dataset));
  const gaps = pieces.filter((piece) => "gap" in piece.dataset);
  const start = noteOffset(own[0], 0);
  const end = noteOffset(own.at(-1), own.at(-1).childNodes.length);
  if (!gaps.length) return { start, firstEnd: end, lastStart: start, end };
  return { start, firstEnd: noteOffset(gaps[0], 0), lastStart: noteOffset(gaps.at(-1), gaps.at(-1).childNodes.length), end };
}

/** @param {Element} handle @param {DOMRect} box whose edge it stands at */
function stand(handle, box) {
  const frame = pane.getBoundingClientRect();
  const x = (handle.dataset.edge === "start" ? box.left : box.right) - frame.left + pane.scrollLeft;
  handle.style.setProperty("--x", `${Math.round(x)}px`);
  handle.style.setProperty("--y", `${Math.round(box.top - frame.top + pane.scrollTop)}px`);
  handle.style.setProperty("--height", `${Math.round(box.height)}px`);
}

/** Stand at the ends of the span in focus. @param {Element[]} found its pieces; none hides the handles */
export function placeHandles(found = pieces) {
  if (found !== pieces) letGo(); // what was dragged has gone
  pieces = found;
  highlight?.clear();
  const own = pieces.filter((piece) => piece.isConnected && !("gap" in piece.dataset));
  const canMove = own.length && document.querySelector("#do-bounds:not(:disabled)");
  for (const handle of pane.querySelectorAll(".handle")) {
    handle.hidden = !canMove;
    if (!canMove) continue;
    const boxes = (handle.dataset.edge === "start" ? own[0] : own.at(-1)).getClientRects();
    stand(handle, boxes[handle.dataset.edge === "start" ? 0 : boxes.length - 1]);
  }
}

/** @param {number} start @param {number} end @returns {Range} of the note's text */
function rangeOf(start, end) {
  const range = document.createRange();
  range.setStart(...positionOf(start));
  range.setEnd(...positionOf(end, true));
  return range;
}

/**
 * The nearest place for the edge that is drawn, in code points: an end of a token, in the part of the span it belongs to.
 * @param {PointerEvent} event @param {{edge: string, was: Object}} drawn @returns {number | null}
 */
function boundAt(event, { edge, was }) {
  const box = note.getBoundingClientRect();
  const caret = caretAt(Math.min(Math.max(event.clientX, box.left + 1), box.right - 1), event.clientY);
  const line = caret && (caret[0] instanceof Element ? caret[0] : caret[0].parentElement)?.closest("#note .line");
  if (!line) return null;
  const start = startOf(line);
  const units = unitsOf(line.textContent, noteOffset(...caret) - start);
  const limit = unitsOf(line.textContent, (edge === "start" ? was.firstEnd : was.lastStart) - start);
  const bounds = (isExact() ? charactersOf : tokensOf)(line.textContent)
    .map((token) => token[edge])
    .filter((bound) => (edge === "start" ? bound < limit : bound > limit));
  if (!bounds.length) return null;
  const nearest = bounds.reduce((best, bound) => (Math.abs(bound - units) < Math.abs(best - units) ? bound : best));
  return start + codePoints(line.textContent.slice(0, nearest));
}

/** @param {PointerEvent} event */
function onMove(event) {
  if (!drag) return;
  const bound = boundAt(event, drag);
  if (bound === null) return;
  const isWhole = drag.was.firstEnd === drag.was.end;
  drag.now = { ...drag.was, [drag.edge]: bound };
  if (isWhole) drag.now = { start: drag.now.start, firstEnd: drag.now.end, lastStart: drag.now.start, end: drag.now.end };
  const ranges = [rangeOf(drag.now.start, drag.now.firstEnd), ...(isWhole ? [] : [rangeOf(drag.now.lastStart, drag.now.end)])];
  highlight?.clear();
  for (const range of ranges) highlight?.add(range);
  const boxes = [...(drag.edge === "start" ? ranges[0] : ranges.at(-1)).getClientRects()].filter((one) => one.width);
  stand(pane.querySelector(`.handle[data-edge="${drag.edge}"]`), boxes.at(drag.edge === "start" ? 0 : -1));
}

function letGo() {
  drag = null;
  delete pane.dataset.dragging;
}

function cancel() {
  if (!drag) return;
  letGo();
  placeHandles();
}

function onUp() {
  if (!drag) return;
  const { was, now } = drag;
  letGo();
  const button = document.getElementById("do-bounds");
  const isMoved = was.start !== now.start || was.end !== now.end;
  if (isMoved && button) {
    button.value = `${now.start}:${now.end}`;
    button.click();
  }
  if (!isMoved || !isBusy()) placeHandles(); // else the preview stays until the answer comes
}

/** @param {Document} root */
export function init(root) {
  if (highlight) CSS.highlights.set("bounds", highlight);
  pane.addEventListener("pointerdown", (event) => {
    const handle = event.target.closest(".handle");
    if (!handle || event.button !== 0 || isBusy()) return;
    event.preventDefault(); // neither a selection nor a scroll
    handle.setPointerCapture(event.pointerId);
    pane.dataset.dragging = "";
    drag = { edge: handle.dataset.edge, was: hull(), now: hull() };
  });
  root.addEventListener("pointermove", onMove);
  root.addEventListener("pointerup", onUp);
  root.addEventListener("pointercancel", cancel);
  root.addEventListener("keydown", (event) => {
    if (!drag) return; // no key does anything else until the handle is let go
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.key === "Escape") cancel();
  }, { capture: true });
  root.addEventListener("htmx:configRequest", ({ detail }) => {
    const isLeft = detail.verb === "get" && detail.target?.id === "card" && document.querySelector("#card [data-moved]");
    if (isLeft) detail.parameters.set("moved", "1"); // bounds that wait for a label: the note is to be as it was
  });
  root.addEventListener("htmx:afterRequest", () => !drag && placeHandles());
  new ResizeObserver(() => !drag && placeHandles()).observe(note);
}
