// The reasoning of a model: its last lines while it comes, folded once the answer begins. Where no
// answer comes they stay in sight, for they are all that there is.
import { duration } from "../widgets/formatting";
import { appendText, element, setText } from "../widgets/html";

/** Titles, the only marks that models write into all of their reasoning; as in footer.py. */
const BOLD = /\*\*([^\s*](?:[^*\n]*[^\s*])?)\*\*/;
/** A longer line is shown as it is: it would be read again with each piece of text. */
const LONGEST_TITLED = 2000;

/** Of a reply with reasoning: the answer is to come, is there, or did not come. */
export type Stage = "live" | "answered" | "alone";

export class Reasoning {
  readonly root = element("details", "chatnb-reasoning");
  private readonly summary = element("summary", "", "Reasoning");
  private readonly text = element("div", "chatnb-reasoning-text");
  private readonly frame = element("div", "chatnb-reasoning-frame", this.text);
  private shown = "";
  /** The line that the text ends in. */
  private line = "";
  private lineText = element("span");
  private startedAt: number | null = null;
  private isTimed = false;
  /** Whether the reader has opened or closed it: what the reader chose stays. */
  private chosen = false;

  constructor() {
    this.root.hidden = true;
    this.beginLine();
    this.root.append(this.summary, this.frame);
    this.summary.addEventListener("click", () => (this.chosen = true));
  }

  /** @param seconds - The time that it took, where the kernel knows it. */
  show(text: string, stage: Stage, seconds: number | null = null): void {
    this.root.hidden = !text;
    if (text !== this.shown) {
      this.text.replaceChildren();
      this.shown = "";
      this.beginLine();
      this.append(text, stage === "live");
    }
    if (stage !== "live") this.end(stage);
    if (stage !== "live" && seconds !== null && !this.isTimed) this.setTime(seconds);
  }

  /** The answer begins, or does not come. */
  end(stage: "answered" | "alone"): void {
    if (this.startedAt !== null) this.setTime((performance.now() - this.startedAt) / 1000);
    this.startedAt = null;
    this.turn(stage);
    if (!this.chosen) this.root.open = stage === "alone";
  }

  /** @param live - Whether the answer is still to come. */
  append(text: string, live: boolean): void {
    if (!text) return;
    if (live) this.begin();
    this.root.hidden = false;
    this.shown += text;
    text.split("\n").forEach((part, index) => {
      if (index) this.beginLine("\n");
      this.growLine(part);
    });
  }

  private beginLine(before = ""): void {
    this.line = "";
    this.lineText = element("span");
    this.text.append(before, this.lineText);
  }

  private growLine(part: string): void {
    this.line += part;
    if (this.line.length > LONGEST_TITLED || !BOLD.test(this.line)) return appendText(this.lineText, part);
    // Every second part is what the marks enclose.
    const parts = this.line.split(BOLD);
    this.lineText.replaceChildren(...parts.map((each, index) => (index % 2 ? element("strong", "", each) : each)));
  }

  private begin(): void {
    if (this.startedAt !== null) return;
    this.startedAt = performance.now();
    setText(this.summary, "Thinking…");
    this.turn("live");
    if (!this.chosen) this.root.open = true;
  }

  private turn(stage: Stage): void {
    this.root.dataset.stage = stage;
    // A reader without a mouse scrolls what has the focus.
    if (stage === "alone") this.frame.tabIndex = 0;
    else this.frame.removeAttribute("tabindex");
  }

  /** As `reasoning_title` in Python writes it. */
  private setTime(seconds: number): void {
    const whole = Math.max(1, Math.round(seconds));
    this.isTimed = true;
    setText(this.summary, `Thought for ${whole < 60 ? `${whole} s` : duration(1000 * whole)}`);
  }
}
