// The quiet line under a message: facts, versions, and what can be done with it.
import { element } from "../view/elements";
import { action, switchOff } from "./action";
import { Branches } from "./branches";
import { copyButton } from "./copying";
import { Deletion } from "./deletion";
import type { Item } from "./item";
import type { Desk } from "./item_view";

export class Foot {
  readonly root = element("div", "chatnb-panel-foot");
  private readonly facts = element("span", "chatnb-panel-facts");
  private readonly branches: Branches;
  private readonly actions = element("div", "chatnb-panel-actions");
  private readonly deletion = new Deletion(() => this.remove(), () => this.keep());
  private readonly remover = action("delete", "Delete", () => this.ask());
  private readonly idle: HTMLButtonElement[];
  private item: Item | null = null;

  /** @param own - What can be done with this kind of message alone, while nothing is answered. */
  constructor(
    private readonly desk: Desk,
    own: HTMLButtonElement,
  ) {
    const copy = copyButton("Copy", () => this.item?.text ?? "", desk.announcer);
    this.branches = new Branches((id) => desk.panel.send({ kind: "branch", id }));
    this.idle = [own, this.remover];
    this.actions.append(own, copy, this.remover);
    this.deletion.root.hidden = true;
    this.root.append(this.facts, this.actions, this.deletion.root, this.branches.root);
  }

  show(item: Item, busy: boolean): void {
    this.item = item;
    this.facts.textContent = item.facts;
    this.facts.hidden = !item.facts;
    this.branches.show(item.branch, busy);
    for (const made of this.idle) switchOff(made, busy);
  }

  private ask(): void {
    const { items } = this.desk.panel;
    const place = items.findIndex(({ id }) => id === this.item?.id);
    this.actions.hidden = true;
    this.deletion.ask(items.length - place - 1);
  }

  private remove(): void {
    if (this.item) this.desk.panel.send({ kind: "delete", id: this.item.id });
    this.deletion.root.hidden = true;
    this.actions.hidden = false;
    this.desk.toComposer();
  }

  private keep(): void {
    this.deletion.root.hidden = true;
    this.actions.hidden = false;
    this.remover.focus();
  }
}
