/** Places in the note: DOM positions (UTF-16) to offsets of the note's text (Unicode code points) and back. */

/** @param {string} text @returns {number} code points in `text` */
export function codePoints(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** @param {string} text @param {number} count @returns {number} UTF-16 units of the first `count` code points */
export function unitsOf(text, count) {
  let units = 0;
  for (const character of text) {
    if (count-- <= 0) break;
    units += character.length;
  }
  return units;
}

const starts = /** @type {WeakMap<Element, number>} */ (new WeakMap());

/**
 * Where a line begins: as it says itself, or counted from the first that is drawn, whose section says it.
 * @param {HTMLElement} line @returns {number}
 */
export function startOf(line) {
  if (line.dataset.start) return Number(line.dataset.start);
  if (!starts.has(line)) {
    const lines = line.closest(".note").querySelectorAll(".line");
    let start = Number(lines[0].parentElement.dataset.start);
    for (const one of lines) {
      starts.set(one, start);
      start += codePoints(one.textContent);
    }
  }
  return starts.get(line);
}

/**
 * The offset in the note of a DOM position, or null where it is not in a line of it.
 * @param {Node} node @param {number} offset @returns {number | null}
 */
export function noteOffset(node, offset) {
  const element = node instanceof Element ? node : node.parentElement;
  const line = element?.closest(".line");
  if (!line) return null;
  const range = document.createRange();
  range.setStart(line, 0);
  range.setEnd(node, offset);
  return startOf(line) + codePoints(range.toString());
}

/**
 * The text node and UTF-16 offset in `line` that lie `units` into its text.
 * @param {Element} line @param {number} units @returns {[Node, number]}
 */
export function domPosition(line, units) {
  const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
  let node = walker.nextNode();
  while (node && units > node.data.length) {
    units -= node.data.length;
    node = walker.nextNode();
  }
  return node ? [node, units] : [line, line.childNodes.length];
}

/**
 * Where an offset of the note is on the page, as the `isEnd` of what is before it or the start of what comes; null where
 * no line shows it.
 * @param {number} offset @param {boolean} isEnd @returns {[Node, number] | null}
 */
export function positionOf(offset, isEnd = false) {
  const line = [...document.querySelectorAll("#note .line")].findLast((one) => startOf(one) <= offset - (isEnd ? 1 : 0));
  return line ? domPosition(line, unitsOf(line.textContent, offset - startOf(line))) : null;
}

/** @param {number} x @param {number} y @returns {[Node, number] | null} where a caret would stand on the screen */
export function caretAt(x, y) {
  if (!document.caretPositionFromPoint) {
    const range = document.caretRangeFromPoint(x, y);
    return range && [range.startContainer, range.startOffset];
  }
  const caret = document.caretPositionFromPoint(x, y);
  return caret && [caret.offsetNode, caret.offset];
}

/** @param {MouseEvent} event @returns {[Node, number] | null} before the character that was pressed, in UTF-16 units */
export function pressedAt(event) {
  const [node, offset] = caretAt(event.clientX, event.clientY) ?? [];
  if (!node?.parentElement?.closest("#note .line")) return null;
  const before = document.createRange();
  before.setStart(node, Math.max(offset - 1, 0));
  before.setEnd(node, offset);
  const isOnBefore = [...before.getClientRects()].some((box) => box.left <= event.clientX && event.clientX < box.right);
  return [node, isOnBefore ? offset - 1 : offset];
}
