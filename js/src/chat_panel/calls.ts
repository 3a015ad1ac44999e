// The calls of tools that an answer asked for: what with, how it went, and whether they may.
import { element } from "../view/elements";
import { Approval, type OnDecision } from "./approval";
import { icon } from "./icons";
import type { Call, CallState } from "./item";

const WORDS: Record<CallState, string> = {
  asking: "asks for your approval",
  running: "running",
  done: "done",
  failed: "failed",
  rejected: "rejected",
};
/** More than this is cut for display, so that laying it out stays quick. */
const LONGEST = 20_000;

export class Calls {
  readonly root = element("div", "chatnb-panel-calls");
  private readonly views = new Map<string, CallView>();

  constructor(private readonly onDecision: OnDecision) {}

  show(calls: readonly Call[]): void {
    this.root.hidden = calls.length === 0;
    const ids = new Set(calls.map(({ id }) => id));
    for (const [id, view] of this.views) if (!ids.has(id)) this.take(id, view);
    for (const call of calls) this.viewOf(call).show(call);
  }

  private viewOf(call: Call): CallView {
    const there = this.views.get(call.id);
    if (there) return there;
    const made = new CallView(this.onDecision);
    this.views.set(call.id, made);
    this.root.append(made.root);
    return made;
  }

  private take(id: string, view: CallView): void {
    view.root.remove();
    this.views.delete(id);
  }
}

class CallView {
  readonly root = element("section", "chatnb-panel-call");
  private readonly mark = element("span", "chatnb-panel-mark");
  private readonly name = element("span", "chatnb-panel-call-name");
  private readonly state = element("span", "chatnb-panel-quiet");
  private readonly given = passage("Arguments");
  private readonly gave = passage("Result");
  private readonly result = element("details", "chatnb-panel-fold");
  private approval: Approval | null = null;
  private shown: CallState | null = null;

  constructor(private readonly onDecision: OnDecision) {
    const head = element("div", "chatnb-panel-call-head");
    const summary = element("summary");
    summary.textContent = "Result";
    head.append(this.mark, this.name, this.state);
    this.result.append(summary, this.gave);
    this.root.append(head, this.given, this.result);
  }

  show(call: Call): void {
    write(this.name, call.name);
    write(this.given, cut(call.arguments));
    write(this.gave, cut(call.result));
    this.given.hidden = !call.arguments;
    this.result.hidden = !call.result;
    if (this.shown !== call.state) this.turn(call);
  }

  private turn(call: Call): void {
    this.shown = call.state;
    this.root.dataset.state = call.state;
    this.root.setAttribute("aria-label", `Call of ${call.name}`);
    this.mark.replaceChildren(icon(call.state));
    this.state.textContent = WORDS[call.state];
    this.approval?.root.remove();
    this.approval = call.state === "asking" ? new Approval(call, this.onDecision) : null;
    if (this.approval) this.root.append(this.approval.root);
  }
}

function passage(name: string): HTMLElement {
  const made = element("pre", "chatnb-panel-passage");
  made.tabIndex = 0;
  made.setAttribute("role", "group");
  made.setAttribute("aria-label", name);
  return made;
}

function cut(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}\n… ${text.length - LONGEST} more characters` : text;
}

function write(place: HTMLElement, text: string): void {
  if (place.textContent !== text) place.textContent = text;
}
