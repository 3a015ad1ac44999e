// The way between messages that stand in the same place: 2/3, with an arrow on each side.
import { element } from "../view/elements";
import { action, switchOff } from "./action";
import type { Branch } from "./item";

export class Branches {
  readonly root = element("div", "chatnb-panel-branches");
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
