// What went wrong, in words, above where the next message is written.
import { element } from "../view/elements";
import { wordButton } from "./action";
import type { Panel } from "./panel";

export class Notice {
  readonly root = element("div", "chatnb-panel-notice");
  private readonly text = element("span");
  private readonly again = wordButton("Try again", "again", () => this.tryAgain());

  constructor(private readonly panel: Panel) {
    this.text.setAttribute("role", "alert");
    this.root.append(this.text, this.again);
    this.root.hidden = true;
  }

  /** @param objection - What is wrong with what is being written. */
  show(objection: string): void {
    const { patience, state, outbox, draft } = this.panel;
    const silence = silenceOf(!draft.isEmpty);
    const words = objection || outbox.reason || (patience.silent ? silence : (state.error ?? ""));
    const hadFocus = document.activeElement === this.again;
    this.root.hidden = !words;
    this.root.dataset.tone = patience.silent && !objection ? "silent" : "error";
    this.again.hidden = !patience.silent || Boolean(objection);
    if (this.text.textContent !== words) this.text.textContent = words;
    if (hadFocus && !this.again.checkVisibility()) this.onFocusLost();
  }

  /** Set by whoever has a place for the focus when the button goes. */
  onFocusLost: () => void = () => {};

  private tryAgain(): void {
    const { outbox, draft } = this.panel;
    if (outbox.isUnanswered && !draft.isEmpty) void outbox.send();
    else this.panel.send({ kind: "hello" });
  }
}

function silenceOf(hasDraft: boolean): string {
  const kept = hasDraft ? " What you wrote is kept here." : "";
  return `The kernel does not answer: it may be busy with a cell, or gone.${kept}`;
}
