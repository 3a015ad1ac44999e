// The panel before its first message: suggestions, who replies, and what can be done.
import { limitsIn } from "../composer/attachments";
import { button, element, setText } from "../../widgets/html";
import type { State } from "../../generated/panel";

const MAX_SUGGESTIONS = 4;
const KEYS = "Enter sends · Shift+Enter breaks the line · Esc stops";

export class EmptyState {
  readonly root = element("div", "chatnb-panel-none");
  private readonly about = element("div");
  private readonly suggestions = element("div", "chatnb-panel-suggestions");
  private readonly hints = element("div");
  private offered: readonly string[] = [];

  /** @param onChoice - Told the suggestion, and whether to send it at once. */
  constructor(private readonly onChoice: (text: string, send: boolean) => void) {
    this.suggestions.setAttribute("role", "group");
    this.suggestions.setAttribute("aria-label", "Suggestions");
    this.hints.classList.add("chatnb-panel-hints");
    this.root.append(this.about, this.suggestions, this.hints);
  }

  show({ about, limits, suggestions }: State): void {
    setText(this.about, about || "Ask something to begin.");
    const types = limitsIn(limits);
    setText(this.hints, [KEYS, types && `Drop or paste files: ${types}`].filter(Boolean).join("\n"));
    this.suggestions.hidden = suggestions.length === 0;
    if (suggestions.join("\n") === this.offered.join("\n")) return;
    this.offered = suggestions;
    this.suggestions.replaceChildren(...suggestions.slice(0, MAX_SUGGESTIONS).map((text) => this.offer(text)));
  }

  private offer(text: string): HTMLElement {
    const press = (event: MouseEvent): void => this.onChoice(text, event.shiftKey);
    const made = button("chatnb-panel-button chatnb-panel-suggestion", text, press, text);
    made.title = "Write it below (Shift+click sends it)";
    made.removeAttribute("aria-label");
    return made;
  }
}
