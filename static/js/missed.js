/**
 * The place in the note that the card offers as missed. It is painted, and is no element of the note: nothing that was
 * not decided stands there as a span.
 */

import { positionOf } from "./offsets.js";

const NAME = "missed";

/** Paint the place that the card is about, or nothing. @returns {Range | undefined} it */
export function markMissed() {
  CSS.highlights?.delete(NAME);
  const place = document.getElementById("card")?.dataset.missed;
  if (!place) return undefined;
  const [start, end] = place.split(":").map((offset) => positionOf(Number(offset)));
  if (!start || !end) return undefined;
  const range = new Range();
  range.setStart(...start);
  range.setEnd(...end);
  CSS.highlights?.set(NAME, new Highlight(range));
  return range;
}
