// A message of the model: what it thought, says and asks for, and how it ended.
import { element } from "../view/elements";
import { action } from "./action";
import { Calls } from "./calls";
import { CodeBlocks } from "./code_blocks";
import { Foot } from "./foot";
import { isOpen, type Item } from "./item";
import type { Desk, ItemView } from "./item_view";
import type { Decision, Growing } from "./messages";
import { Reasoning } from "./reasoning";
import { StreamedText } from "./streamed_text";

export class Answer implements ItemView {
  readonly root = element("article", "chatnb-panel-item");
  private readonly reasoning = new Reasoning();
  private readonly text: StreamedText;
  private readonly calls = new Calls((...decided) => this.decide(...decided));
  private readonly ending = element("div", "chatnb-panel-ending");
  private readonly foot: Foot;
  private item: Item | null = null;
  private said = "";

  constructor(private readonly desk: Desk) {
    this.text = new StreamedText(desk.slices, new CodeBlocks(desk.painter, desk.announcer));
    this.foot = new Foot(desk, action("regenerate", "Regenerate", () => this.regenerate()));
    this.root.dataset.role = "ai";
    this.root.setAttribute("aria-label", "Answer");
    const parts = [this.reasoning, this.text, this.calls, { root: this.ending }, this.foot];
    this.root.append(...parts.map(({ root }) => root));
  }

  show(item: Item, busy: boolean): void {
    this.item = item;
    const open = isOpen(item);
    this.root.dataset.status = item.status;
    this.reasoning.show(item.reasoning, item.status === "streaming" && !item.text);
    this.text.root.hidden = !item.text;
    this.text.show(item.text, item.status === "streaming");
    this.calls.show(item.calls);
    this.foot.root.hidden = open;
    this.foot.show(item, busy);
    this.tell(item);
  }

  grow(field: Growing, text: string): void {
    if (!this.said) return this.growFurther(field, text);
    this.ending.hidden = true;
    this.said = "";
    this.growFurther(field, text);
  }

  dispose(): void {
    this.text.dispose();
    this.root.remove();
  }

  private growFurther(field: Growing, text: string): void {
    if (field === "reasoning") return this.reasoning.append(text);
    if (this.text.root.hidden) this.beginText();
    this.text.append(text);
  }

  private beginText(): void {
    this.text.root.hidden = false;
    this.reasoning.end();
  }

  /** How it stands, in words, where the text does not show it. */
  private tell(item: Item): void {
    this.said = wordsFor(item, this.desk.panel.state.model);
    this.ending.hidden = !this.said;
    if (this.ending.textContent !== this.said) this.ending.textContent = this.said;
  }

  private regenerate(): void {
    if (this.item) this.desk.panel.send({ kind: "regenerate", id: this.item.id });
    this.desk.toComposer();
  }

  private decide(call: string, decision: Decision, reason: string): void {
    this.desk.panel.send({ kind: "decide", call, decision, reason });
    const next = this.calls.root.querySelector<HTMLElement>(
      ".chatnb-panel-approval:not([data-decided]) button",
    );
    if (next) next.focus();
    else this.desk.toComposer();
  }
}

function wordsFor({ status, error, text, reasoning, calls }: Item, model: string): string {
  if (status === "failed") return error ? `Failed: ${error}` : "Failed";
  if (status === "stopped") return error ? `Stopped: ${error}` : "Stopped";
  if (status === "waiting") return calls.some(({ state }) => state === "asking") ? "" : "Waiting for your approval";
  const isSilent = status === "streaming" && !text && !reasoning && calls.length === 0;
  return isSilent ? `Waiting for ${model || "the model"}…` : "";
}
