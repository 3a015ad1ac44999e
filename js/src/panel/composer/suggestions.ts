// The list above the composer: the notebook's variables after "{", and suggestions after "/".
import { newNonce } from "./draft";
import type { Variable } from "../../generated/panel";
import { element } from "../../widgets/html";

/** A thing to choose: its label, a quiet note beside it, and the field's text and cursor with it. */
export interface Choice {
  label: string;
  note: string;
  text: string;
  cursor: number;
}

const MAX_CHOICES = 50;

/** What can be chosen for a field with this text up to the cursor, and this text after it. */
export function choicesFor(
  before: string,
  after: string,
  variables: readonly Variable[],
  suggestions: readonly string[],
): Choice[] {
  const brace = /\{(\w*)$/.exec(before);
  if (brace) {
    const start = before.slice(0, brace.index);
    const rest = after.startsWith("}") ? after.slice(1) : after;
    const made = ({ name, summary }: Variable): Choice => {
      const written = `${start}{${name}}`;
      return { label: name, note: summary, text: written + rest, cursor: written.length };
    };
    return variables.filter(({ name }) => beginsWith(name, brace[1] ?? "")).slice(0, MAX_CHOICES).map(made);
  }
  if (after || !before.startsWith("/")) return [];
  const words = before.slice(1).toLowerCase();
  const found = suggestions.filter((text) => text.toLowerCase().includes(words));
  return found.map((text) => ({ label: text, note: "", text, cursor: text.length }));
}

function beginsWith(name: string, begun: string): boolean {
  return name.toLowerCase().startsWith(begun.toLowerCase());
}

/** The names of known variables that a text mentions in braces. */
export function mentioned(text: string, known: readonly Variable[]): Variable[] {
  const names = new Set([...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]));
  return known.filter(({ name }) => names.has(name));
}

/** A list of choices under a field that keeps the focus. */
export class ChoiceList {
  readonly root = element("div", "chatnb-panel-choices");
  private choices: readonly Choice[] = [];
  private active = 0;

  constructor(
    private readonly field: HTMLTextAreaElement,
    private readonly onChoice: (choice: Choice) => void,
  ) {
    this.root.id = `chatnb-choices-${newNonce()}`;
    this.root.setAttribute("role", "listbox");
    this.root.setAttribute("aria-label", "Suggestions");
    this.root.hidden = true;
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", this.root.id);
    // A press would take the focus from the field.
    this.root.addEventListener("mousedown", (event) => event.preventDefault());
  }

  show(choices: readonly Choice[]): void {
    this.choices = choices;
    this.active = 0;
    this.root.hidden = choices.length === 0;
    this.root.replaceChildren(...choices.map((choice, place) => this.rowOf(choice, place)));
    this.mark();
  }

  /** Do what a key does to an open list; say whether it was for the list. */
  press({ key }: KeyboardEvent): boolean {
    const { length } = this.choices;
    if (!length) return false;
    if (key === "ArrowDown") this.active = (this.active + 1) % length;
    else if (key === "ArrowUp") this.active = (this.active + length - 1) % length;
    else if (key === "Enter" || key === "Tab") this.choose(this.active);
    else if (key === "Escape") this.show([]);
    else return false;
    this.mark();
    return true;
  }

  private choose(place: number): void {
    const choice = this.choices[place];
    this.show([]);
    if (choice) this.onChoice(choice);
  }

  private rowOf({ label, note }: Choice, place: number): HTMLElement {
    const row = element("div", "chatnb-panel-choice", element("span", "", label));
    if (note) row.append(element("span", "chatnb-panel-quiet", note));
    row.id = `${this.root.id}-${place}`;
    row.setAttribute("role", "option");
    row.addEventListener("click", () => this.choose(place));
    return row;
  }

  private mark(): void {
    const rows = [...this.root.children];
    rows.forEach((row, place) => row.setAttribute("aria-selected", String(place === this.active)));
    const row = this.root.hidden ? undefined : rows[this.active];
    row?.scrollIntoView({ block: "nearest" });
    if (row) this.field.setAttribute("aria-activedescendant", row.id);
    else this.field.removeAttribute("aria-activedescendant");
  }
}
