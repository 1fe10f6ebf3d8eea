/**
 * The comment below the card: Esc goes back to the note, and Ctrl Enter saves before it does. What is being typed stays
 * with the span it was begun on, though the card goes on to the next. Its span tells that something was said.
 */

import { piecesOf } from "./marks.js";

/** @param {KeyboardEvent} event */
function onKeydown(event) {
  if (!(event.target instanceof HTMLTextAreaElement) || event.target.id !== "remark") return;
  const isSaving = event.key === "Enter" && (event.ctrlKey || event.metaKey);
  if (!isSaving && event.key !== "Escape") return;
  event.preventDefault();
  document.getElementById("note").focus({ preventScroll: true });
  if (isSaving && event.target.value.trim()) event.target.form.querySelector("[value=comment]").click();
}

/** Let the span in the note and in the queue tell what the comments below the card say of it. */
function showSaid() {
  const { focus, said } = document.querySelector("#remarks .remark-new")?.dataset ?? {};
  if (!focus) return;
  for (const place of [...document.querySelectorAll(`#queue [data-span-key="${CSS.escape(focus)}"]`), ...piecesOf(focus)]) {
    if (said) place.dataset.said = said;
    else delete place.dataset.said;
  }
}

/** @param {Document} root */
export function init(root) {
  root.addEventListener("keydown", onKeydown, { capture: true });
  root.addEventListener("htmx:afterSwap", ({ detail }) => detail.target?.id === "remarks" && showSaid());
  root.addEventListener("htmx:oobBeforeSwap", (event) => {
    if (event.detail.target?.id === "remarks" && document.activeElement?.id === "remark") event.detail.shouldSwap = false;
  });
}
