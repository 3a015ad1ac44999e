// The question whether a tool may be called: allow, always allow, or reject with a reason.
import { wordButton } from "../widgets/buttons";
import type { Decision, ItemToolCall } from "../generated/tool_calls";
import { element } from "../widgets/html";

export type OnDecision = (call: string, decision: Decision, reason: string) => void;

export class Approval {
  readonly root = element("div", "chatnb-panel-approval");
  private readonly reason = element("input", "chatnb-panel-field");
  private readonly question: HTMLElement[];
  private readonly rejection: HTMLElement[];
  private readonly reject = wordButton("Reject", "reject", () => this.askForReason(true));

  constructor(
    private readonly call: ItemToolCall,
    private readonly onDecision: OnDecision,
  ) {
    const once = wordButton("Allow once", "once", () => this.decide("once"));
    const always = wordButton("Always in this conversation", "always", () => this.decide("always"));
    const sure = wordButton("Reject", "reject", () => this.decide("reject"));
    const back = wordButton("Back", "back", () => this.askForReason(false));
    once.dataset.primary = "";
    this.reason.type = "text";
    this.reason.placeholder = "Reason (optional)";
    this.reason.setAttribute("aria-label", `Reason for rejecting ${call.name} (optional)`);
    this.reason.addEventListener("keydown", this.press);
    this.question = [once, this.reject, always];
    this.rejection = [this.reason, sure, back];
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", `May ${call.name} be called?`);
    this.root.append(...this.question, ...this.rejection);
    for (const part of this.rejection) part.hidden = true;
  }

  private readonly press = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    if (event.key !== "Enter" && event.key !== "Escape") return;
    // The focus moves, and the key would be typed there.
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Enter") this.decide("reject");
    else this.askForReason(false);
  };

  private askForReason(asks: boolean): void {
    for (const part of this.question) part.hidden = asks;
    for (const part of this.rejection) part.hidden = !asks;
    (asks ? this.reason : this.reject).focus();
  }

  private decide(decision: Decision): void {
    this.root.dataset.decided = decision;
    this.onDecision(this.call.id, decision, decision === "reject" ? this.reason.value.trim() : "");
  }
}
