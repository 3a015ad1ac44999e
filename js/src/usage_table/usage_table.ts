// A usage table as one widget model knows it: its rows, and what its views have made of them.
import { Cells } from "./cells";
import { readCalls, type UsageModel } from "./messages";
import { Filter, nextSorting, sorted, type Sorting } from "./order";
import { Selection } from "./selection";

export class UsageTable {
  cells: Cells;
  /** The numbers of the rows that are shown, from top to bottom. */
  rows: number[] = [];
  readonly selection = new Selection();
  /** The row that can be focused. */
  active = 0;
  sorting: Sorting | null = null;
  filter = "";
  private finder: Filter;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly model: UsageModel) {
    this.cells = new Cells(readCalls(model.get("table")));
    this.finder = new Filter(this.cells);
    this.arrange();
    model.on("change:table", this.replace);
  }

  get length(): number {
    return this.cells.calls.length;
  }

  /** The selected rows among those that are shown. */
  get selected(): number[] {
    return this.selection.among(this.rows);
  }

  sortBy(name: string): void {
    const column = this.cells.columns.find((each) => each.name === name);
    if (column) this.sorting = nextSorting(this.sorting, column);
    this.arrange();
    this.changed();
  }

  find(filter: string): void {
    this.filter = filter;
    this.arrange();
    this.changed();
  }

  /** Call `listener` at every change from now on; call the result to stop that. */
  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  readonly changed = (): void => {
    for (const listener of this.listeners) listener();
  };

  dispose(): void {
    this.model.off("change:table", this.replace);
    this.listeners.clear();
  }

  private arrange(): void {
    const { sorting } = this;
    const column = this.cells.columns.find((each) => each.name === sorting?.column);
    this.rows = sorted(this.finder.rows(this.filter), column, sorting?.descending ?? false);
    if (!this.rows.includes(this.active)) this.active = this.rows[0] ?? 0;
  }

  private readonly replace = (): void => {
    this.cells = new Cells(readCalls(this.model.get("table")));
    this.finder = new Filter(this.cells);
    this.selection.clear();
    this.arrange();
    this.changed();
  };
}
