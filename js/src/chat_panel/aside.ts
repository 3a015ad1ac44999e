// A message that is neither a question nor an answer: what the model was told of the whole.
import { element } from "../view/elements";
import type { Item } from "./item";
import type { ItemView } from "./item_view";

export class Aside implements ItemView {
  readonly root = element("article", "chatnb-panel-item");
  private readonly fold = element("details", "chatnb-panel-fold");
  private readonly summary = element("summary");
  private readonly text = element("div", "chatnb-panel-plain");

  constructor() {
    this.fold.append(this.summary, this.text);
    this.root.append(this.fold);
  }

  show({ role, text }: Item): void {
    const name = role === "system" ? "System prompt" : "Tool";
    this.root.dataset.role = role;
    this.root.setAttribute("aria-label", name);
    this.summary.textContent = name;
    this.text.textContent = text;
  }

  grow(): void {}

  dispose(): void {
    this.root.remove();
  }
}
