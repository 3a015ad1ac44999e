// The line under a message: metadata, versions, Copy, Edit or Regenerate, and Delete.
import { BranchSwitcher } from "../../replies/branch_switcher";
import { action, copyButton, switchOff, wordButton } from "../../widgets/buttons";
import { toolbar } from "../../widgets/toolbar";
import type { MessageContext } from "./message_log";
import type { Item } from "../../generated/panel";
import { element } from "../../widgets/html";

export class MessageFooter {
  readonly root = element("div", "chatnb-panel-foot");
  private readonly facts = element("span", "chatnb-panel-facts");
  private readonly branches: BranchSwitcher;
  private readonly actions = element("div", "chatnb-panel-actions");
  private readonly deletion = new DeleteConfirmation(() => this.remove(), () => this.keep());
  private readonly remover = action("delete", "Delete", () => this.ask());
  private readonly idle: HTMLButtonElement[];
  private item: Item | null = null;

  /** @param own - What can be done with this kind of message alone, while nothing is answered. */
  constructor(
    private readonly context: MessageContext,
    own: HTMLButtonElement,
  ) {
    const copy = copyButton("Copy", () => this.answer.map(({ text }) => text).join("\n\n"), context.announcer);
    this.branches = new BranchSwitcher((id) => context.panel.send({ type: "select_branch", id }));
    this.idle = [own, this.remover];
    this.actions.append(own, copy, this.remover);
    toolbar(this.actions, "Actions");
    this.deletion.root.hidden = true;
    this.root.append(this.facts, this.actions, this.deletion.root, this.branches.root);
  }

  /** @param ends - Whether the message is the last of its turn; what the line does is for all of the answer. */
  show(item: Item, busy: boolean, ends = true): void {
    this.item = item;
    this.facts.textContent = item.footer;
    this.facts.hidden = !item.footer || !ends;
    this.actions.hidden = !ends || !this.deletion.root.hidden;
    this.root.hidden = !ends && item.branch.count < 2;
    this.branches.show(item.branch, busy);
    for (const made of this.idle) switchOff(made, busy);
  }

  /** The messages of the answer, or the one message of the user. */
  get answer(): Item[] {
    const { items } = this.context.panel;
    const end = items.findIndex(({ id }) => id === this.item?.id);
    let start = end;
    while (start > 0 && items[start]?.role === "ai" && items[start - 1]?.role === "ai") start -= 1;
    return items.slice(start, end + 1);
  }

  private ask(): void {
    const { items } = this.context.panel;
    const place = items.findIndex(({ id }) => id === this.item?.id);
    this.actions.hidden = true;
    this.deletion.ask(items.length - place - 1);
  }

  private remove(): void {
    const [first] = this.answer;
    if (first) this.context.panel.send({ type: "delete", id: first.id });
    this.deletion.root.hidden = true;
    this.actions.hidden = false;
    this.context.toComposer();
  }

  private keep(): void {
    this.deletion.root.hidden = true;
    this.actions.hidden = false;
    this.remover.focus();
  }
}

export class DeleteConfirmation {
  readonly root = element("div", "chatnb-panel-deletion");
  private readonly question = element("span");
  private readonly yes = wordButton("Delete", "sure", () => this.onYes());

  constructor(
    private readonly onYes: () => void,
    onNo: () => void,
  ) {
    const no = wordButton("Keep", "keep", onNo);
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", "Delete?");
    this.root.append(this.question, this.yes, no);
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      onNo();
    });
  }

  /** @param following - How many messages follow, which would go along. */
  ask(following: number): void {
    const along = following === 1 ? " and the one after it" : ` and the ${following} after it`;
    this.question.textContent = `Delete this message${following ? along : ""}?`;
    this.root.hidden = false;
    this.yes.focus();
  }
}
