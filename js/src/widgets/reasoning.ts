// The reasoning of a model: its last lines while it comes, folded once the answer begins.
import { appendText, element, setText } from "./html";

export class Reasoning {
  readonly root = element("details", "chatnb-reasoning");
  private readonly summary = element("summary", "", "Reasoning");
  private readonly text = element("div", "chatnb-reasoning-text");
  private shown = "";
  private startedAt: number | null = null;
  /** Whether the reader has opened or closed it: what the reader chose stays. */
  private chosen = false;

  constructor() {
    this.root.hidden = true;
    this.root.append(this.summary, element("div", "chatnb-reasoning-frame", this.text));
    this.summary.addEventListener("click", () => (this.chosen = true));
  }

  /** @param live - Whether the answer is still to come. */
  show(text: string, live: boolean): void {
    this.root.hidden = !text;
    if (!live) this.end();
    if (text === this.shown) return;
    this.text.replaceChildren();
    this.shown = "";
    this.append(text, live);
  }

  /** The answer begins. */
  end(): void {
    if (this.startedAt === null) return;
    const seconds = Math.round((performance.now() - this.startedAt) / 1000);
    this.startedAt = null;
    delete this.root.dataset.live;
    setText(this.summary, seconds > 0 ? `Thought for ${seconds} s` : "Thought for a moment");
    if (!this.chosen) this.root.open = false;
  }

  /** @param live - Whether the answer is still to come. */
  append(text: string, live: boolean): void {
    if (!text) return;
    if (live) this.begin();
    this.root.hidden = false;
    this.shown += text;
    appendText(this.text, text);
  }

  private begin(): void {
    if (this.startedAt !== null) return;
    this.startedAt = performance.now();
    this.root.dataset.live = "";
    setText(this.summary, "Thinking…");
    if (!this.chosen) this.root.open = true;
  }
}
