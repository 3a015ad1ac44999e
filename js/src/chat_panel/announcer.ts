// What screen readers are told in so many words, beside what they read in the log.
import { element } from "../view/elements";

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
