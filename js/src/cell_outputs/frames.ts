// Keeping long replies out of the frames of Notebook 7.
import type { AnyModel } from "@anywidget/types";
import { watchPage } from "../widgets/base";
import { FRAMED_CELL, openFrame } from "../widgets/frames";

const REPLY = ".chatnb-reply, .chatnb-swapping, .chatnb-footer";

/** Keep replies out of frames that the reader has not asked for, until the result is called. */
export function keepRepliesOpen(model: AnyModel): () => void {
  // What was framed as the page was loaded stays so: the reader is somewhere below it already.
  const before = new WeakSet(document.querySelectorAll(FRAMED_CELL));
  // Outputs and cells that come and go change the page in the same task as the frames.
  return watchPage(() => {
    for (const cell of document.querySelectorAll(FRAMED_CELL)) {
      if (!before.has(cell) && cell.querySelector(REPLY)) openFrame(cell, model);
    }
  });
}
