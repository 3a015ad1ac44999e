// The question whether a tool may be called.
import { element } from "../view/elements";
import { wordButton } from "./action";
import type { Call } from "./item";
import type { Decision } from "./messages";

export type OnDecision = (call: string, decision: Decision, reason: string) => void;

export class Approval {
  readonly root = element("div", "chatnb-panel-approval");
  private readonly reason = element("input", "chatnb-panel-field");

  constructor(call: Call, onDecision: OnDecision) {
    const decide = (decision: Decision): void => {
      const reason = decision === "reject" ? this.reason.value.trim() : "";
      this.root.dataset.decided = decision;
      onDecision(call.id, decision, reason);
    };
    const once = wordButton("Allow once", "once", () => decide("once"));
    const always = wordButton("Always in this conversation", "always", () => decide("always"));
    const reject = wordButton("Reject", "reject", () => decide("reject"));
    const rejection = element("div", "chatnb-panel-rejection");
    once.dataset.primary = "";
    this.reason.type = "text";
    this.reason.placeholder = "Reason (optional)";
    this.reason.setAttribute("aria-label", `Reason for rejecting ${call.name} (optional)`);
    this.reason.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) decide("reject");
    });
    rejection.append(this.reason, reject);
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", `May ${call.name} be called?`);
    this.root.append(once, always, rejection);
  }
}
