// Which rows are selected: as files are in a file browser.

export class Selection {
  private rows = new Set<number>();
  /** The row that a range begins with. */
  private anchor: number | null = null;

  get size(): number {
    return this.rows.size;
  }

  has(row: number): boolean {
    return this.rows.has(row);
  }

  /** The selected ones among some rows, in their order. */
  among(rows: readonly number[]): number[] {
    return this.size ? rows.filter((row) => this.rows.has(row)) : [];
  }

  /** Select a row alone, or nothing if it was that already. */
  only(row: number): void {
    this.rows = this.size === 1 && this.rows.has(row) ? new Set() : new Set([row]);
    this.anchor = row;
  }

  toggle(row: number): void {
    if (!this.rows.delete(row)) this.rows.add(row);
    this.anchor = row;
  }

  /** Select all from the anchor to a row, in the order that is shown. */
  extend(row: number, from: number, shown: readonly number[]): void {
    this.anchor ??= from;
    const places = [shown.indexOf(this.anchor), shown.indexOf(row)].sort((one, other) => one - other);
    const [first = 0, last = 0] = places;
    this.rows = new Set(first < 0 ? [row] : shown.slice(first, last + 1));
  }

  all(shown: readonly number[]): void {
    this.rows = new Set(shown);
  }

  clear(): void {
    this.rows.clear();
    this.anchor = null;
  }
}
