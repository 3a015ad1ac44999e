// Growing and shrinking of parts of the page by steps that nobody sees as a jump: a footer may take more
// lines than the status line of the live reply, and how many is known only when it is there.
import { missingBelow } from "../widgets/in_sight";

/** The most that all parts together change between two frames: they may stand below each other. */
const STEP_PIXELS = 2;
/** What differs by more than a footer and its notices is other content, which comes at once. */
const MAX_DIFFERENCE = 240;
const frames = new WeakMap<HTMLElement, number>();
let [frame, left] = [0, STEP_PIXELS];

/**
 * Bring `node` from the height that the reader saw to that of its content, frame by frame.
 *
 * @param follower - What scrolls, for a reader who follows the end of `node` in it.
 */
export function easeHeight(node: HTMLElement, seen: number, follower: HTMLElement | null = null): void {
  stopEasing(node);
  const difference = node.offsetHeight - seen;
  if (!node.isConnected || !difference || Math.abs(difference) > MAX_DIFFERENCE) return follow(node, follower);
  // What is hidden could be scrolled to, by focus or a script, and would jump back at the next frame:
  // a click of a button would begin on it and end beside it.
  Object.assign(node.style, { minHeight: `${seen}px`, maxHeight: `${seen}px`, overflow: "clip" });
  follow(node, follower);
  const step = (time: number): void => easeHeight(node, seen + stepTowards(difference, time), follower);
  frames.set(node, requestAnimationFrame(step));
}

/** Give `node` the height of its content at once. */
export function stopEasing(node: HTMLElement): void {
  cancelAnimationFrame(frames.get(node) ?? 0);
  frames.delete(node);
  Object.assign(node.style, { minHeight: "", maxHeight: "", overflow: "" });
}

function stepTowards(difference: number, time: number): number {
  if (time !== frame) [frame, left] = [time, STEP_PIXELS];
  const pixels = Math.min(Math.abs(difference), left);
  left -= pixels;
  return Math.sign(difference) * pixels;
}

/** Scroll by what has just grown, but not if the reader has left the end meanwhile. */
function follow(node: HTMLElement, follower: HTMLElement | null): void {
  const missing = follower ? missingBelow(node, follower) : 0;
  if (follower && missing > 0 && missing <= 2 * STEP_PIXELS) follower.scrollTop += Math.ceil(missing);
}
