// Windowing of long lists: only visible rows, and the active one, are in the page.

/** The height of a row in pixels, as in JupyterLab's own lists. */
export const ROW_HEIGHT = 24;
/** The number of rows that are visible without scrolling. */
export const MOST_VISIBLE = 20;
/** Rows above and below those, so that scrolling shows no gaps. */
const MARGIN = 4;

/** The places of the rows that are to be in the page, from top to bottom.
 *
 * @param scrollTop - How far the list is scrolled, in pixels.
 * @param length - How many rows there are.
 * @param active - The place of the row that can be focused, or -1. */
export function windowOf(scrollTop: number, length: number, active: number): number[] {
  const top = Math.floor(scrollTop / ROW_HEIGHT);
  const from = Math.max(0, top - MARGIN);
  const to = Math.min(length, top + MOST_VISIBLE + MARGIN);
  const places = Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
  if (active >= 0 && active < from) places.unshift(active);
  if (active >= to && active < length) places.push(active);
  return places;
}

/** Scroll as little as it takes to see the row at `place` in the `height` pixels that rows have. */
export function reveal(scroller: HTMLElement, place: number, height: number): void {
  const top = place * ROW_HEIGHT;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (top + ROW_HEIGHT > scroller.scrollTop + height) scroller.scrollTop = top + ROW_HEIGHT - height;
}
