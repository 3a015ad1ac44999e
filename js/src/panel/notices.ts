// Errors above the composer, and announcements to screen readers.
import { wordButton } from "../widgets/buttons";
import type { PanelController } from "./controller";
import { setLinkedText } from "./linked_text";
import { element } from "../widgets/html";

export class Notice {
  readonly root = element("div", "chatnb-panel-notice");
  private readonly text = element("span");
  private readonly again = wordButton("Try again", "again", () => this.tryAgain());

  constructor(private readonly panel: PanelController) {
    this.text.setAttribute("role", "alert");
    this.root.append(this.text, this.again);
    this.root.hidden = true;
  }

  /** @param objection - What is wrong with what is being written. */
  show(objection: string): void {
    const { watchdog, state, outbox, draft, isGone } = this.panel;
    const silence = (isGone ? GONE : SILENT) + (draft.isEmpty ? "" : " What you wrote is kept here.");
    const words = objection || outbox.reason || (watchdog.silent ? silence : (state.error ?? ""));
    const hadFocus = document.activeElement === this.again;
    this.root.hidden = !words;
    this.root.dataset.tone = watchdog.silent && !objection ? "silent" : "error";
    this.again.hidden = !watchdog.silent || isGone || Boolean(objection);
    setLinkedText(this.text, words);
    if (hadFocus && !this.again.checkVisibility()) this.onFocusLost();
  }

  /** Set by whoever has a place for the focus when the button goes. */
  onFocusLost: () => void = () => {};

  private tryAgain(): void {
    const { outbox, draft } = this.panel;
    if (outbox.isUnanswered && !draft.isEmpty) void outbox.send();
    else this.panel.send({ type: "hello" });
  }
}

const SILENT = "The kernel does not answer: it may be busy with a cell, or gone.";
const GONE = "The kernel is gone. Run the panel's cell again to go on with the conversation.";

export class Announcer {
  readonly root = element("div", "chatnb-panel-unseen");

  constructor() {
    this.root.setAttribute("role", "status");
  }

  say(text: string): void {
    // The same words once more are news only if they are another node.
    this.root.replaceChildren(text);
  }
}
