/** The spans in the note. Each of a span's pieces has the first characters of its key as its name, `data-span`. */

/** @param {string | undefined} key @returns {HTMLElement[]} the pieces of a span, in the order of the text */
export function piecesOf(key) {
  return key ? [...document.querySelectorAll("#note [data-span]")].filter((piece) => key.startsWith(piece.dataset.span)) : [];
}
