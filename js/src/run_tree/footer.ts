// The quiet line below the tree: what it all sums up to.
import { element } from "../view/elements";
import { count, counted, price } from "../view/format";
import { isFiltering, type Row, totals } from "./outline";
import type { RunTree } from "./run_tree";

export class Footer {
  readonly root = element("div", "chatnb-run-footer");
  private readonly found = element("span", "chatnb-run-found");
  private readonly sum = element("span");

  constructor(private readonly tree: RunTree) {
    this.found.setAttribute("role", "status");
    this.root.append(this.found, this.sum);
  }

  show(rows: readonly Row[]): void {
    const { tape, at, filter } = this.tree;
    const sum = totals(tape, at);
    const hits = isFiltering(filter) ? `${count(rows.filter((row) => row.hit).length)} found in ` : "";
    const parts = [counted(sum.runs, "run"), counted(sum.calls, "model call")];
    if (sum.failed) parts.push(`${count(sum.failed)} failed`);
    if (sum.input || sum.output) parts.push(`${count(sum.input)} tokens in, ${count(sum.output)} out`);
    if (tape.priced) parts.push(price(sum.cost));
    write(this.found, hits);
    write(this.sum, parts.join(" · "));
  }
}

function write(place: HTMLElement, text: string): void {
  if (place.textContent !== text) place.textContent = text;
}
