/** The comment below the card: Esc goes back to the note, and Ctrl Enter saves before it does. */

/** @param {KeyboardEvent} event */
function onKeydown(event) {
  if (!(event.target instanceof HTMLTextAreaElement) || event.target.id !== "remark") return;
  const isSaving = event.key === "Enter" && (event.ctrlKey || event.metaKey);
  if (!isSaving && event.key !== "Escape") return;
  event.preventDefault();
  document.getElementById("note").focus({ preventScroll: true });
  if (isSaving && event.target.value.trim()) event.target.form.querySelector("[value=comment]").click();
}

/** @param {Document} root */
export function init(root) {
  root.addEventListener("keydown", onKeydown, { capture: true });
}
