/**
 * What comes along with a card and is as it is shown already stays: it is neither laid out nor painted anew, and htmx,
 * which tells of every element that goes, does not go through it. Of the queue that is every row but one or two.
 */

/** @param {Element} list @returns {Map<string, Element>} its rows by what they show */
function rowsOf(list) {
  return new Map([...list.children].map((row) => [row.firstElementChild.getAttribute("href") + row.textContent, row]));
}

/** Put in the rows that are new and take out those that are gone. @param {Element} list @param {Element} fresh */
function takeRows(list, fresh) {
  const [shown, wanted] = [rowsOf(list), rowsOf(fresh)];
  for (const [what, row] of shown) if (!wanted.has(what)) row.remove();
  let at = list.firstElementChild;
  for (const [what, row] of wanted) {
    if (at && shown.get(what) === at) at = at.nextElementSibling;
    else list.insertBefore(shown.get(what) ?? row, at);
  }
}

/** @param {Element} place @param {Element} fresh @returns {boolean} whether both have a list, whose rows were kept */
function keepRows(place, fresh) {
  const [list, other] = [place, fresh].map((one) => one.querySelector(":scope > ul"));
  if (!list || !other) return false;
  takeRows(list, other);
  const parts = [...fresh.children];
  for (const part of [...place.children]) if (part !== list) part.remove();
  list.before(...parts.slice(0, parts.indexOf(other)));
  list.after(...parts.slice(parts.indexOf(other) + 1));
  return true;
}

/** @param {Event} event */
function onSwap({ detail }) {
  const { target, fragment } = detail;
  if (target.role === "status") return; // what is said again is heard again
  const stays = target.innerHTML === fragment.innerHTML || (target.id === "queue-list" && keepRows(target, fragment));
  if (stays) detail.shouldSwap = false;
}

/** @param {Document} root */
export function init(root) {
  root.addEventListener("htmx:oobBeforeSwap", onSwap);
}
