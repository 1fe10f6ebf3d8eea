/**
 * What a person has typed and not saved, in any form that posts: it is put back where its card comes again, and leaving
 * the page is warned. A new span that is being labelled has an address of its own. Nothing goes into the browser's
 * storage.
 */

const TYPED = "textarea, input:not([type]), input[type=text]";
const typed = /** @type {Map<string, {form: string, name: string, value: string}>} */ (new Map());
let isLeaving = false; // a form goes as the browser sends it: with what was typed

/** @param {Element} field @returns {string} the field, however often it is drawn: by span, form and name */
function nameOf(field) {
  return [field.closest("[data-focus]")?.dataset.focus ?? "", field.form?.getAttribute("action"), field.name].join(" ");
}

/** @param {Event} event */
function onInput({ target }) {
  if (!(target instanceof Element) || !target.matches(TYPED) || target.form?.method !== "post") return;
  if (target.value === target.defaultValue) typed.delete(nameOf(target));
  else typed.set(nameOf(target), { form: target.form.getAttribute("action"), name: target.name, value: target.value });
}

/** Put back what was typed into the fields that have come. @param {Event} event */
function onCame({ target }) {
  if (!typed.size || !(target instanceof Element)) return;
  for (const field of target.querySelectorAll(TYPED)) {
    const draft = typed.get(nameOf(field));
    if (draft) field.value = draft.value;
  }
}

/** What was saved is no draft any more. @param {Event} event */
function onAnswered({ detail }) {
  const { requestConfig, xhr } = detail;
  if (requestConfig.verb !== "post") return;
  const isSaved = xhr.status === 200 && !xhr.getResponseHeader("HX-Redirect")?.startsWith("/accounts/");
  if (isSaved) forget(requestConfig.path, Object.fromEntries(requestConfig.parameters.entries()));
}

/** What a form had when it was saved is no draft. @param {string} path @param {Record<string, string>} values */
export function forget(path, values) {
  for (const [name, draft] of typed) {
    if (draft.form === path && values[draft.name] === draft.value) typed.delete(name);
  }
}

/** A new span that is being labelled is there again after a reload. @param {Event} event */
function keepPlace({ detail }) {
  if (detail.target?.id !== "card" || !detail.successful) return;
  const note = document.getElementById("place").dataset.note;
  const isNew = detail.requestConfig.verb === "get" && document.querySelector("#card [name=fragments]");
  const place = isNew ? detail.pathInfo.finalRequestPath : note;
  if (isNew || location.pathname !== note) history.replaceState(history.state, "", place);
}

/** @param {Document} root */
export function init(root) {
  root.addEventListener("input", onInput);
  root.addEventListener("reset", ({ target }) => {
    for (const field of target.elements) typed.delete(nameOf(field));
  });
  root.addEventListener("submit", (event) => (isLeaving = !event.defaultPrevented && event.target.method === "post"));
  root.addEventListener("htmx:afterSettle", onCame);
  root.addEventListener("htmx:beforeSwap", onAnswered); // before it is put back
  root.addEventListener("htmx:afterRequest", keepPlace);
  addEventListener("beforeunload", (event) => {
    if (typed.size && !isLeaving) event.preventDefault();
    isLeaving = false;
  });
}
