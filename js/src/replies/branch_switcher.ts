// The arrows between versions of a message: "‹ 2/3 ›".
import { action, switchOff } from "../widgets/buttons";
import { element } from "../widgets/html";

/** The place of a message among all in that place: `previous` and `next` name those beside it. */
interface Branch {
  readonly index: number;
  readonly count: number;
  readonly previous: string | null;
  readonly next: string | null;
}

export class BranchSwitcher {
  readonly root = element("div", "chatnb-branches");
  private readonly previous = action("previous", "Previous version", () => this.go(this.branch?.previous));
  private readonly next = action("next", "Next version", () => this.go(this.branch?.next));
  private readonly place = element("span", "chatnb-panel-quiet");
  private branch: Branch | null = null;

  /** @param onGo - Told the message to be shown in this place. */
  constructor(private readonly onGo: (id: string) => void) {
    this.root.setAttribute("role", "group");
    this.root.append(this.previous, this.place, this.next);
  }

  show(branch: Branch, busy: boolean): void {
    const { index, count, previous, next } = branch;
    this.branch = branch;
    this.root.hidden = count < 2;
    this.root.setAttribute("aria-label", `Version ${index} of ${count}`);
    this.place.textContent = `${index}/${count}`;
    switchOff(this.previous, busy || previous === null);
    switchOff(this.next, busy || next === null);
  }

  private go(id: string | null | undefined): void {
    if (id) this.onGo(id);
  }
}
