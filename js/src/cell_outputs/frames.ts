// Keeping long replies open in Notebook 7, which puts every output of some 100 lines into a low frame
// whenever an output changes or a cell is inserted, as running the last cell does.
import { watchPage } from "../widgets/base";
import type { NotebookContext } from "./notebook";

const IN_NOTEBOOK_7 = "[data-notebook='notebooks']";
const FRAMED = "jp-mod-outputsScrolled";
const FRAMED_CELL = `.jp-CodeCell.${FRAMED}`;
const REPLY = ".chatnb-reply, .chatnb-swapping, .chatnb-footer";

/** Keep replies out of frames that the reader has not asked for, until the result is called. */
export function keepRepliesOpen({ model }: NotebookContext): () => void {
  if (!document.body?.matches(IN_NOTEBOOK_7)) return () => {};
  // What was framed as the page was loaded stays so: the reader is somewhere below it already.
  const before = new WeakSet(document.querySelectorAll(FRAMED_CELL));
  const open = (): void => {
    for (const cell of document.querySelectorAll<HTMLElement>(FRAMED_CELL)) {
      const isOurs = !before.has(cell) && cell.querySelector(REPLY) && !isChosen(cell);
      if (isOurs) cell.classList.remove(FRAMED);
    }
  };
  /** Whether the reader has chosen the frame: only then the notebook keeps it. */
  const isChosen = ({ dataset }: HTMLElement): boolean => {
    const cell = model.cells.get(Number(dataset.windowedListIndex ?? -1));
    return cell?.getMetadata?.("scrolled") !== undefined;
  };
  // Outputs and cells that come and go change the page in the same task as the frames.
  return watchPage(open);
}
