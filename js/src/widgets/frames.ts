// Frames of Notebook 7, which puts every output of some 100 lines into a low one whenever an output changes
// or a cell is inserted, as running the last cell does.
import type { AnyModel } from "@anywidget/types";

const FRAMED = "jp-mod-outputsScrolled";
export const FRAMED_CELL = `[data-notebook="notebooks"] .jp-CodeCell.${FRAMED}`;

interface WidgetManager {
  readonly context?: { readonly model?: { readonly cells?: { get(index: number): CellModel | undefined } } };
}

interface CellModel {
  getMetadata?(name: string): unknown;
}

/** Take the frame from a cell, unless the reader has chosen it: only then the notebook keeps it. */
export function openFrame(cell: Element | null, model: AnyModel): void {
  if (!(cell instanceof HTMLElement)) return;
  const { context } = (model.widget_manager ?? {}) as WidgetManager;
  const framed = context?.model?.cells?.get(Number(cell.dataset.windowedListIndex ?? -1));
  if (framed?.getMetadata?.("scrolled") === undefined) cell.classList.remove(FRAMED);
}
