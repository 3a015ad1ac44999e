// What a model thought before it answered, folded up.
import { appendText, element } from "../view/elements";

export class Reasoning {
  readonly root = element("details", "chatnb-panel-fold chatnb-panel-reasoning");
  private readonly summary = element("summary");
  private readonly text = element("div", "chatnb-panel-plain");
  private shown = "";

  constructor() {
    this.root.append(this.summary, this.text);
  }

  show(text: string, open: boolean): void {
    this.root.hidden = !text;
    this.summary.textContent = open ? "Reasoning…" : "Reasoning";
    if (text === this.shown) return;
    this.text.replaceChildren();
    this.shown = "";
    this.append(text);
  }

  /** The answer itself begins. */
  end(): void {
    this.summary.textContent = "Reasoning";
  }

  append(text: string): void {
    this.root.hidden = false;
    this.shown += text;
    appendText(this.text, text);
  }
}
