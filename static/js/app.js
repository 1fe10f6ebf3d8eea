/**
 * What every page shares: theme, dialogs, messages, file drop zones, the bell's key. All listeners are delegated, so they survive swaps.
 * Markup: data-theme-toggle, data-open-dialog="id", data-close-dialog, data-dismiss, .drop, dialog[data-open].
 */

import "./idle.js";
import { areKeysOff, init as initShortcuts } from "./shortcuts.js";

const FIELDS = "input:not([type=checkbox], [type=radio], [type=button], [type=submit]), select, textarea, [contenteditable]";
const darkSystem = matchMedia("(prefers-color-scheme: dark)");

/** True where a key press belongs to a field, so that no shortcut may take it. @param {EventTarget | null} target */
export function isField(target) {
  return target instanceof Element && target.closest(FIELDS) !== null;
}

/** Swap dark and light; a choice equal to the system's is forgotten, so the page follows the system again. */
function toggleTheme() {
  const system = darkSystem.matches ? "dark" : "light";
  const theme = (document.documentElement.dataset.theme ?? system) === "dark" ? "light" : "dark";
  if (theme === system) delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === system) localStorage.removeItem("theme");
    else localStorage.setItem("theme", theme);
  } catch {
    // Storage is off: the choice lasts for this page.
  }
}

/** Open a dialog by id; nothing happens where the page has none or it is open. @param {string} id */
export function openDialog(id) {
  const dialog = document.getElementById(id);
  if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
}

/** Up to three names, else how many there are. @param {File[]} files */
function namesOf(files) {
  return files.length > 3 ? `${files.length.toLocaleString("en-GB")} files` : files.map((file) => file.name).join(", ");
}

/** Show the names of the chosen files in the drop zone of `input`. @param {HTMLInputElement} input */
function showFiles(input) {
  const place = input.closest(".drop")?.querySelector(".drop-files");
  if (place) place.textContent = namesOf([...(input.files ?? [])]);
}

/** @param {MouseEvent} event */
function onClick(event) {
  if (!(event.target instanceof Element)) return;
  const { target } = event;
  if (target instanceof HTMLDialogElement) {
    const box = target.getBoundingClientRect();
    const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
    if (!inside) target.close(); // a click on the backdrop
    return;
  }
  const opener = target.closest("[data-open-dialog]");
  if (opener instanceof HTMLElement) {
    event.preventDefault(); // an opener may be a link to the same content as a page
    openDialog(opener.dataset.openDialog ?? "");
  } else if (target.closest("[data-close-dialog]")) target.closest("dialog")?.close();
  else if (target.closest("[data-dismiss]")) target.closest(".message")?.remove();
  else if (target.closest("[data-theme-toggle]")) toggleTheme();
}

/** The keys of every page. @type {Record<string, () => void>} */
const KEYS = { "?": () => openDialog("help"), "shift+B": () => document.getElementById("bell")?.click() };

/** @param {KeyboardEvent} event */
function onKeydown(event) {
  const act = KEYS[event.key] ?? (event.shiftKey ? KEYS[`shift+${event.key}`] : undefined);
  if (!act || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isField(event.target)) return;
  if (areKeysOff() || document.querySelector("dialog[open]")) return;
  event.preventDefault(); // a page's own keys are let alone
  act();
}

/** @param {DragEvent} event */
function onDrag(event) {
  const zone = event.target instanceof Element ? event.target.closest(".drop") : null;
  if (!zone) return;
  event.preventDefault();
  zone.toggleAttribute("data-over", event.type === "dragover");
  const input = zone.querySelector("input[type=file]");
  if (event.type !== "drop" || !(input instanceof HTMLInputElement) || !event.dataTransfer) return;
  input.files = event.dataTransfer.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

/** Open the dialogs that arrive to be open. @param {ParentNode} root */
function openArrived(root) {
  for (const dialog of root.querySelectorAll("dialog[data-open]:not([open])")) openDialog(dialog.id);
}

/** A table that is wider than its place scrolls by arrow keys: where nothing in it takes the focus, it does itself. */
const wide = new ResizeObserver((entries) => {
  for (const target of new Set(entries.map((entry) => entry.target.closest(".table-wrap")))) {
    const scrolls = target.scrollWidth > target.clientWidth && !target.querySelector("a, button, input, select");
    for (const [name, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", "Table, wider than the page"]]) {
      if (scrolls) target.setAttribute(name, value);
      else target.removeAttribute(name);
    }
  }
});

/** @param {ParentNode} root */
function watchTables(root) {
  for (const place of root.querySelectorAll(".table-wrap, .table-wrap > table")) wide.observe(place); // a font may widen the table alone
}

/** Listen below `root`, once a page. @param {Document} root */
export function init(root) {
  root.addEventListener("click", onClick);
  root.addEventListener("keydown", onKeydown);
  for (const type of ["dragover", "dragleave", "drop"]) root.addEventListener(type, /** @type {EventListener} */ (onDrag));
  root.addEventListener("change", ({ target }) => {
    if (target instanceof HTMLInputElement && target.type === "file") showFiles(target);
  });
  root.addEventListener("htmx:afterSettle", () => {
    openArrived(root);
    watchTables(root);
  });
  openArrived(root);
  watchTables(root);
  initShortcuts(root);
}

init(document);
