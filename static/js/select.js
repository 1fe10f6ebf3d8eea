/** New spans: a selection in the note, by mouse or by arrow keys, fetches the card that labels it. */

import { dropCard, fetchCard } from "./exchange.js";
import { holdKeys, releaseKeys } from "./keys.js";
import { codePoints, domPosition, noteOffset, pressedAt, startOf, unitsOf } from "./offsets.js";
import { isRelating } from "./relate.js";
import { tokensOf as tokensIn } from "./tokens.js";

const REST_MS = 120; // a hand that rests so long has chosen
const TOUCH_REST_MS = 600;
let timer = 0;
let pending = ""; // the address of the card that a selection waits for
let isTouch = false;
let began = /** @type {EventTarget | null} */ (null);

/** True from a selection to its card. */
export function isSelecting() {
  return pending !== "";
}

/** Drop what is selected and the card that it waits for. */
export function cancelSelection() {
  clearTimeout(timer);
  if (pending) dropCard(pending);
  pending = "";
  getSelection().removeAllRanges();
  releaseKeys(false);
}

/** @returns {{start: number, end: number} | null} what is selected of the note, in code points; null where nothing is */
function selected() {
  const selection = getSelection();
  if (!selection || selection.isCollapsed || !/\S/.test(selection.toString())) return null;
  const range = selection.getRangeAt(0);
  if (!document.getElementById("note-pane").contains(range.commonAncestorContainer)) return null;
  const lines = [...document.querySelectorAll("#note .line")].filter((line) => range.intersectsNode(line));
  if (!lines.length) return null;
  const [first, last] = [lines[0], lines[lines.length - 1]];
  const start = noteOffset(range.startContainer, range.startOffset) ?? startOf(first);
  const end = noteOffset(range.endContainer, range.endOffset) ?? startOf(last) + codePoints(last.textContent);
  return start < end ? { start, end } : null;
}

/** Fetch the card for what is selected, once the hand has come to rest. @param {number} rest */
function offer(rest = REST_MS) {
  clearTimeout(timer);
  const place = selected();
  if (!place || isRelating()) return; // then words are chosen to find a span at them
  const back = document.getElementById("card").dataset.back;
  pending = `${document.getElementById("place").dataset.newSpan}?start=${place.start}&end=${place.end}&focus=${back}`;
  holdKeys();
  timer = setTimeout(() => fetchCard(pending), rest);
}

/** @param {Element} line @returns {{start: number, end: number}[]} tokens of the line, UTF-16 */
function tokensOf(line) {
  return tokensIn(line.textContent);
}

/** @param {number} direction @param {Element} line @returns {Element | null} the next line with a token in it */
function lineBeyond(direction, line) {
  const lines = [...document.querySelectorAll("#note .line")];
  const ahead = direction > 0 ? lines.slice(lines.indexOf(line) + 1) : lines.slice(0, lines.indexOf(line)).reverse();
  return ahead.find((other) => /\S/.test(other.textContent)) ?? null;
}

/** @returns {{line: Element, units: number}} where the keyboard stands: the selection's end, or the span in focus */
function cursor() {
  const selection = getSelection();
  const node = selection?.focusNode;
  const line = node && (node instanceof Element ? node : node.parentElement)?.closest("#note .line");
  if (line) {
    const offset = noteOffset(node, selection.focusOffset) - startOf(line);
    return { line, units: unitsOf(line.textContent, offset) };
  }
  const mark = document.querySelector("#note .span[data-current]");
  const fallback = mark?.closest(".line") ?? document.querySelector("#note .line");
  if (!mark) return { line: fallback, units: 0 };
  const start = noteOffset(mark, 0) - startOf(fallback);
  return { line: fallback, units: unitsOf(fallback.textContent, start) };
}

/** @param {Element} line @param {{start: number, end: number}} token @param {boolean} isGrowing @param {number} direction */
function selectToken(line, token, isGrowing, direction) {
  const selection = getSelection();
  const [from, to] = direction > 0 ? [token.start, token.end] : [token.end, token.start];
  if (isGrowing && !selection.isCollapsed) selection.extend(...domPosition(line, to));
  else selection.setBaseAndExtent(...domPosition(line, from), ...domPosition(line, to));
  line.scrollIntoView({ block: "nearest" });
}

/** @param {KeyboardEvent} event */
function onArrow(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
  const { line, units } = cursor();
  const isAcross = event.key === "ArrowUp" || event.key === "ArrowDown";
  const here = isAcross ? [] : tokensOf(line).filter((token) => (step > 0 ? token.start >= units : token.end <= units));
  const target = here.length ? line : lineBeyond(step, line);
  if (!target) return;
  const tokens = here.length ? here : tokensOf(target);
  selectToken(target, step > 0 || isAcross ? tokens[0] : tokens[tokens.length - 1], event.shiftKey, isAcross ? 1 : step);
  event.preventDefault();
  offer();
}

/** A double click takes the token that the server has there, whatever the browser takes for a word. @param {MouseEvent} event */
function onDoubleClick(event) {
  const place = pressedAt(event);
  if (!place) return;
  const line = place[0].parentElement.closest(".line");
  const units = unitsOf(line.textContent, noteOffset(...place) - startOf(line));
  const token = tokensOf(line).find(({ start, end }) => start <= units && units < end);
  if (!token) return;
  selectToken(line, token, false, 1);
  offer();
}

/** The selection's card has come, or will not. @param {Event} event */
function onCard(event) {
  if (!pending || event.detail.requestConfig.path !== pending) return;
  pending = "";
  releaseKeys(document.querySelector('#card input[name="fragments"]') !== null);
}

/** @param {Element} note */
export function init(note) {
  document.addEventListener("pointerdown", (event) => {
    began = event.target;
    isTouch = event.pointerType === "touch";
  });
  document.addEventListener("mouseup", (event) => {
    if (event.button !== 0 || !(began instanceof Element && began.closest("#note-pane"))) return;
    offer();
    setTimeout(() => pending && !selected() && cancelSelection()); // a click into what was selected drops it only now
  });
  document.addEventListener("selectionchange", () => {
    if (isTouch) offer(TOUCH_REST_MS); // a finger drags handles, which tells nothing else
  });
  note.addEventListener("keydown", onArrow);
  note.addEventListener("dblclick", onDoubleClick);
  document.addEventListener("htmx:afterRequest", onCard);
}
