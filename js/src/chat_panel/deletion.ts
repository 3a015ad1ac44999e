// The question whether a message and what follows it are really to go.
import { element } from "../view/elements";
import { wordButton } from "./action";

export class Deletion {
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
