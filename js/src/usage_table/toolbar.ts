// The line above the table: how many rows there are, the filter, and the ways to copy.
import { copy } from "../view/clipboard";
import { element } from "../view/elements";
import { count, counted } from "../view/format";
import { csvOf, markdownOf } from "./copying";
import type { UsageTable } from "./usage_table";

/** How long it is said that something was copied. */
const SAID_MILLISECONDS = 3000;

export class Toolbar {
  readonly root = element("div", "chatnb-usage-toolbar");
  private readonly told = element("span", "chatnb-usage-told");
  private readonly search = element("input", "chatnb-usage-search");
  private said = "";
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly table: UsageTable,
    goDown: () => void,
  ) {
    this.told.setAttribute("role", "status");
    Object.assign(this.search, { type: "search", placeholder: "Filter", value: table.filter });
    this.search.setAttribute("aria-label", "Filter calls by prompt, model and finish");
    this.search.addEventListener("input", () => table.find(this.search.value));
    this.search.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown") return;
      event.preventDefault();
      goDown();
    });
    this.root.append(
      this.told,
      this.search,
      this.button("Markdown", () => markdownOf(table.cells, this.asked())),
      this.button("CSV", () => csvOf(table.cells, this.asked())),
    );
  }

  show(): void {
    const { rows, length, selected, filter } = this.table;
    const found = rows.length < length ? `${count(rows.length)} of ${counted(length, "call")}` : counted(length, "call");
    const chosen = selected.length ? ` · ${count(selected.length)} selected` : "";
    const text = this.said || found + chosen;
    if (this.told.textContent !== text) this.told.textContent = text;
    if (this.search.value !== filter) this.search.value = filter;
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  /** What is copied: the selected rows, else all that are shown. */
  private asked(): number[] {
    const { selected, rows } = this.table;
    return selected.length ? selected : rows;
  }

  private button(format: string, write: () => string): HTMLButtonElement {
    const made = element("button", "chatnb-usage-button");
    made.type = "button";
    made.textContent = `Copy ${format}`;
    made.title = `Copy the selected calls, else all, as ${format}`;
    made.addEventListener("click", async () => {
      const rows = counted(this.asked().length, "call");
      const copied = await copy(write());
      this.say(copied ? `Copied ${rows} as ${format}` : "The browser did not let us copy");
    });
    return made;
  }

  private say(text: string): void {
    this.said = text;
    this.show();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.said = "";
      this.show();
    }, SAID_MILLISECONDS);
  }
}
