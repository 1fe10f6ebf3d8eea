/** Copies what is shown once. Markup: data-copy="id of the text, or of the field that holds it"; a span in it has the words. */

/** @param {MouseEvent} event */
async function onClick(event) {
  const button = event.target instanceof Element ? event.target.closest("[data-copy]") : null;
  if (!(button instanceof HTMLElement)) return;
  const place = document.getElementById(button.dataset.copy ?? "");
  const words = button.querySelector("span");
  if (!place || !words) return;
  const isField = place instanceof HTMLInputElement;
  try {
    await navigator.clipboard.writeText((isField ? place.value : place.textContent).trim());
    words.textContent = "Copied";
  } catch {
    if (isField) place.select(); // no leave, or no https: the person copies it by key
    else getSelection()?.selectAllChildren(place);
    words.textContent = "Marked: copy it";
  }
}

/** Show the buttons, which are hidden where there is no script. @param {Document} root */
export function init(root) {
  root.addEventListener("click", onClick);
  for (const button of root.querySelectorAll("[data-copy]")) button.removeAttribute("hidden");
}

init(document);
