// The headings of the columns, a click on which sorts the rows.
import { element } from "../view/elements";
import type { Column } from "./messages";
import type { UsageTable } from "./usage_table";

export class Header {
  readonly root = element("div", "chatnb-usage-row chatnb-usage-header");
  private columns: readonly Column[] = [];
  private buttons: HTMLButtonElement[] = [];
  /** The place of the heading that can be focused. */
  private active = 0;

  constructor(
    private readonly table: UsageTable,
    private readonly goDown: () => void,
  ) {
    this.root.setAttribute("role", "row");
    this.root.setAttribute("aria-rowindex", "1");
    this.root.addEventListener("keydown", this.press);
  }

  show(): void {
    const { columns } = this.table.cells;
    if (columns !== this.columns) this.build(columns);
    const { sorting } = this.table;
    columns.forEach((column, place) => {
      const isSorted = sorting?.column === column.name;
      const way = isSorted ? (sorting.descending ? "descending" : "ascending") : "none";
      this.root.children[place]?.setAttribute("aria-sort", way);
    });
    this.buttons.forEach((button, place) => (button.tabIndex = place === this.active ? 0 : -1));
  }

  focus(place = this.active): void {
    this.active = Math.max(0, Math.min(this.buttons.length - 1, place));
    this.show();
    this.buttons[this.active]?.focus();
  }

  private build(columns: readonly Column[]): void {
    this.columns = columns;
    this.active = 0;
    this.buttons = columns.map((column) => this.button(column));
    this.root.replaceChildren(
      ...columns.map((column, place) => {
        const cell = element("div", "chatnb-usage-cell chatnb-usage-heading");
        cell.setAttribute("role", "columnheader");
        cell.setAttribute("aria-colindex", String(place + 1));
        cell.dataset.kind = column.kind;
        cell.append(this.buttons[place] as HTMLButtonElement);
        return cell;
      }),
    );
  }

  private button(column: Column): HTMLButtonElement {
    const made = element("button", "chatnb-usage-sort");
    made.type = "button";
    made.textContent = column.title;
    made.title = `Sort by ${column.title.toLowerCase()}`;
    made.addEventListener("click", () => {
      this.active = this.columns.indexOf(column);
      this.table.sortBy(column.name);
    });
    return made;
  }

  private readonly press = (event: KeyboardEvent): void => {
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowDown") this.goDown();
    else if (step !== undefined) this.focus(this.active + step);
    else return;
    event.preventDefault();
  };
}
