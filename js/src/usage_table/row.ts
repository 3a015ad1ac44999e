// One row of the table, as elements that are used again for other rows.
import { element } from "../view/elements";
import { ROW_HEIGHT } from "../view/window";
import type { Cells } from "./cells";

export class RowView {
  readonly root = element("div", "chatnb-usage-row chatnb-usage-call");
  /** The number of the row that is shown. */
  row = -1;
  private cells: Cells | null = null;

  constructor() {
    this.root.setAttribute("role", "row");
  }

  show(cells: Cells, row: number, place: number, isActive: boolean, isSelected: boolean): void {
    this.root.style.top = `${place * ROW_HEIGHT}px`;
    this.root.tabIndex = isActive ? 0 : -1;
    this.root.setAttribute("aria-rowindex", String(place + 2));
    this.root.setAttribute("aria-selected", String(isSelected));
    if (this.row === row && this.cells === cells) return;
    if (this.cells !== cells) this.build(cells);
    this.row = row;
    cells.columns.forEach((column, at) => {
      const cell = this.root.children[at] as HTMLElement;
      const text = cells.text(column, row);
      cell.textContent = text;
      if (column.kind === "text") cell.title = text;
    });
    this.root.toggleAttribute("data-failed", cells.isFailed(row));
    this.root.toggleAttribute("data-cached", cells.isCached(row));
  }

  private build(cells: Cells): void {
    this.cells = cells;
    this.root.replaceChildren(
      ...cells.columns.map((column, at) => {
        const cell = element("div", "chatnb-usage-cell");
        cell.setAttribute("role", "gridcell");
        cell.setAttribute("aria-colindex", String(at + 1));
        cell.dataset.kind = column.kind;
        cell.dataset.column = column.name;
        return cell;
      }),
    );
  }
}
