/** New spans: a selection in the note, by mouse or by arrow keys, fetches the card that labels it. */

import { domPosition, noteOffset, unitsOf } from "./offsets.js";
import { holdKeys } from "./keys.js";

const WORD = /[\p{L}\p{N}\p{M}]+(?:['’.,/-][\p{L}\p{N}\p{M}]+)*|[^\s]/gu;
let timer = 0;

/** @returns {{start: number, end: number} | null} the selection in code points of the note */
function selected() {
  const selection = getSelection();
  if (!selection || selection.isCollapsed || !selection.rangeCount) return null;
  const range = selection.getRangeAt(0);
  const note = document.getElementById("note");
  if (!note?.contains(range.startContainer) || !note.contains(range.endContainer)) return null;
  const start = noteOffset(range.startContainer, range.startOffset);
  const end = noteOffset(range.endContainer, range.endOffset);
  return start === null || end === null || start >= end ? null : { start, end };
}

/** Fetch the card for what is selected, once the hand has come to rest. */
function offer() {
  clearTimeout(timer);
  const place = selected();
  if (!place) return;
  holdKeys();
  timer = setTimeout(() => {
    const url = document.getElementById("main").dataset.newSpan;
    htmx.ajax("GET", `${url}?start=${place.start}&end=${place.end}`, { target: "#card", swap: "outerHTML" });
  }, 120);
}

/** @param {Element} line @returns {{start: number, end: number}[]} words of the line, UTF-16 */
function wordsOf(line) {
  return [...line.textContent.matchAll(WORD)].map((match) => ({ start: match.index, end: match.index + match[0].length }));
}

/** @param {number} direction @param {Element} line @returns {Element | null} the next line with a word in it */
function lineBeyond(direction, line) {
  const lines = [...document.querySelectorAll("#note .line")];
  const ahead = direction > 0 ? lines.slice(lines.indexOf(line) + 1) : lines.slice(0, lines.indexOf(line)).reverse();
  return ahead.find((other) => wordsOf(other).length) ?? null;
}

/** @returns {{line: Element, units: number}} where the keyboard stands: the selection's end, or the span in focus */
function cursor() {
  const selection = getSelection();
  const node = selection?.focusNode;
  const line = node && (node instanceof Element ? node : node.parentElement)?.closest("#note .line");
  if (line) {
    const offset = noteOffset(node, selection.focusOffset) - Number(line.dataset.start);
    return { line, units: unitsOf(line.textContent, offset) };
  }
  const mark = document.querySelector("#note .span[data-current]");
  const fallback = mark?.closest(".line") ?? document.querySelector("#note .line");
  if (!mark) return { line: fallback, units: 0 };
  const start = noteOffset(mark, 0) - Number(fallback.dataset.start);
  return { line: fallback, units: unitsOf(fallback.textContent, start) };
}

/** @param {Element} line @param {{start: number, end: number}} word @param {boolean} isGrowing @param {number} direction */
function selectWord(line, word, isGrowing, direction) {
  const selection = getSelection();
  const [from, to] = direction > 0 ? [word.start, word.end] : [word.end, word.start];
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
  const here = isAcross ? [] : wordsOf(line).filter((word) => (step > 0 ? word.start >= units : word.end <= units));
  const target = here.length ? line : lineBeyond(step, line);
  if (!target) return;
  const words = here.length ? here : wordsOf(target);
  selectWord(target, step > 0 || isAcross ? words[0] : words[words.length - 1], event.shiftKey, isAcross ? 1 : step);
  event.preventDefault();
  offer();
}

/** @param {Element} note */
export function init(note) {
  note.addEventListener("mouseup", () => setTimeout(offer));
  note.addEventListener("keydown", onArrow);
}
