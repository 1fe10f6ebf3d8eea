/**
 * The upload form. Browsers send the base name of a file only, so this tells the server the path of each file of a
 * folder; it takes a folder that is dropped; and it says that the upload goes on.
 * Markup: form[data-upload] with input[name=folder], input[name=paths] and .drop zones.
 */

/** Paths of the files that were dropped into a folder field, in their order. @type {WeakMap<HTMLInputElement, string[]>} */
const dropped = new WeakMap();

/** The form's field of that name. @param {HTMLFormElement} form @param {string} name */
function field(form, name) {
  const found = form.elements.namedItem(name);
  return found instanceof HTMLInputElement ? found : null;
}

/** Fill `paths` where a file lies in a subfolder; base names say enough otherwise. @param {HTMLFormElement} form */
function tellPaths(form) {
  const [folder, paths] = [field(form, "folder"), field(form, "paths")];
  if (!folder || !paths) return;
  const files = [...(folder.files ?? [])];
  const given = files.map((file, index) => file.webkitRelativePath || dropped.get(folder)?.[index] || file.name);
  paths.value = given.some((path) => path.split("/").length > 2) ? JSON.stringify(given) : "";
}

/** All files of a dropped file or folder, with their paths. @param {FileSystemEntry} entry @returns {Promise<[File, string][]>} */
async function filesBelow(entry) {
  if (entry.isFile) {
    const file = await new Promise((done, fail) => /** @type {FileSystemFileEntry} */ (entry).file(done, fail));
    return [[file, entry.fullPath.replace(/^\//, "")]];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  const found = [];
  for (;;) {
    // A reader hands out a hundred entries at a time.
    const batch = /** @type {FileSystemEntry[]} */ (await new Promise((done, fail) => reader.readEntries(done, fail)));
    if (!batch.length) return found;
    for (const below of batch) found.push(...(await filesBelow(below)));
  }
}

/** Take a dropped folder, which a file field cannot; files alone are left to app.js. @param {DragEvent} event */
async function onDrop(event) {
  const zone = event.target instanceof Element ? event.target.closest("[data-upload] .drop") : null;
  const form = zone?.closest("form");
  const folder = form && field(form, "folder");
  const entries = [...(event.dataTransfer?.items ?? [])].map((item) => item.webkitGetAsEntry?.() ?? null);
  if (!zone || !folder || !entries.some((entry) => entry?.isDirectory)) return;
  event.preventDefault();
  event.stopPropagation();
  zone.removeAttribute("data-over");
  const transfer = new DataTransfer();
  const paths = [];
  for (const entry of entries) {
    for (const [file, path] of entry ? await filesBelow(entry) : []) {
      transfer.items.add(file);
      paths.push(path);
    }
  }
  dropped.set(folder, paths);
  folder.files = transfer.files;
  folder.dispatchEvent(new Event("change", { bubbles: true }));
}

/** @param {SubmitEvent} event */
function onSubmit(event) {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.matches("[data-upload]")) return;
  tellPaths(form);
  event.submitter?.setAttribute("aria-busy", "true");
}

/** Listen below `root`, once a page. @param {Document} root */
export function init(root) {
  root.addEventListener("submit", onSubmit);
  root.addEventListener("drop", onDrop, { capture: true });
}

init(document);
