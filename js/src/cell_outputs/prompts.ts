// The prompts of %%chat cells, coloured as Markdown: JupyterLab takes the language of a cell from its
// model, which says Python for all of them.
import type { CellModel, NotebookContext } from "./notebook";

const MARKDOWN = "text/x-ipythongfm";
const PROMPT = /^\s*%%chat(\s|$)/;

/** Keep the language of every cell to its source, now and later; the result gives Python back. */
export function colourPrompts({ model }: NotebookContext): () => void {
  const cells = new Map<CellModel, PromptCell>();
  const update = (): void => {
    const there = new Set<CellModel>();
    for (let index = 0; index < model.cells.length; index += 1) there.add(model.cells.get(index));
    for (const [cell, prompt] of cells) {
      if (there.has(cell)) continue;
      prompt.dispose();
      cells.delete(cell);
    }
    for (const cell of there) {
      if (cell.type === "code" && !cells.has(cell)) cells.set(cell, new PromptCell(cell));
    }
  };
  update();
  model.cells.changed?.connect(update);
  return () => {
    model.cells.changed?.disconnect(update);
    for (const prompt of cells.values()) prompt.restore();
  };
}

class PromptCell {
  /** The language of the kernel, while the cell has another. */
  private own: string | null = null;

  constructor(private readonly cell: CellModel) {
    cell.contentChanged?.connect(this.check);
    // The notebook sets it again when a kernel has started.
    cell.mimeTypeChanged?.connect(this.check);
    this.check();
  }

  dispose(): void {
    this.cell.contentChanged?.disconnect(this.check);
    this.cell.mimeTypeChanged?.disconnect(this.check);
  }

  restore(): void {
    this.dispose();
    if (this.own !== null) this.cell.mimeType = this.own;
  }

  private readonly check = (): void => {
    const { cell, own } = this;
    const isPrompt = PROMPT.test(cell.sharedModel.getSource().slice(0, 100));
    if (isPrompt && cell.mimeType !== MARKDOWN) {
      this.own = cell.mimeType ?? null;
      cell.mimeType = MARKDOWN;
    } else if (!isPrompt && own !== null) {
      this.own = null;
      if (cell.mimeType === MARKDOWN) cell.mimeType = own;
    }
  };
}
