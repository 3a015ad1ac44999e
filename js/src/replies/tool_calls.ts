// The tool calls of a reply: arguments, state, result and approval.
import { Approval, type OnDecision } from "./approval";
import { icon } from "../widgets/buttons";
import { InsertButton } from "../widgets/code_cell";
import type { CallState, ItemToolCall } from "../generated/tool_calls";
import { isRecord } from "../widgets/base";
import { withVisibleControls } from "../widgets/formatting";
import { element, setText } from "../widgets/html";

const WORDS: Record<CallState, string> = {
  asking: "asks for your approval",
  running: "running",
  done: "done",
  failed: "failed",
  rejected: "rejected",
};
/** More than this is cut for display, so that laying it out stays quick. */
const LONGEST = 20_000;
/** A result of one line that is not longer stands in the line of its call. */
const SHORT_RESULT = 80;
const LONGEST_ARGUMENTS = 300;

type Colour = (block: HTMLElement, language: string) => void;

export class ToolCalls {
  readonly root = element("div", "chatnb-panel-calls");
  private readonly views = new Map<string, ToolCallView>();

  /** @param colour - Colours a block of Python code. */
  constructor(
    private readonly onDecision: OnDecision,
    private readonly colour: Colour,
  ) {}

  show(calls: readonly ItemToolCall[]): void {
    this.root.hidden = calls.length === 0;
    const ids = new Set(calls.map(({ id }) => id));
    for (const [id, view] of this.views) if (!ids.has(id)) this.take(id, view);
    for (const call of calls) this.viewOf(call).show(call);
  }

  private viewOf(call: ItemToolCall): ToolCallView {
    const there = this.views.get(call.id);
    if (there) return there;
    const made = new ToolCallView(this.onDecision, this.colour);
    this.views.set(call.id, made);
    this.root.append(made.root);
    return made;
  }

  private take(id: string, view: ToolCallView): void {
    view.root.remove();
    this.views.delete(id);
  }
}

/** One line, which opens to the arguments and the result; one that asks or has failed is open. */
class ToolCallView {
  readonly root = element("section", "chatnb-panel-call");
  private readonly fold = element("details");
  private readonly mark = element("span", "chatnb-panel-mark");
  private readonly line = element("span", "chatnb-panel-call-line");
  private readonly state = element("span", "chatnb-panel-quiet");
  private readonly given = passage("Arguments");
  private readonly gave = passage("Result");
  private readonly code = passage("Code");
  private readonly insertion = element("div", "chatnb-panel-approval");
  private shownCode = "";
  private approval: Approval | null = null;
  private shown: CallState | null = null;

  constructor(
    private readonly onDecision: OnDecision,
    private readonly colour: Colour,
  ) {
    const summary = element("summary", "chatnb-panel-call-head", this.mark, this.line, this.state);
    this.fold.append(summary, this.given, this.code, this.gave, this.insertion);
    this.root.append(this.fold);
    this.code.hidden = this.insertion.hidden = true;
  }

  show(call: ItemToolCall): void {
    const short = call.state === "done" && isShort(call.result) ? ` → ${call.result.trim()}` : "";
    const { code, others } = readArguments(call.arguments);
    // What is allowed has to look as it is.
    setText(this.line, withVisibleControls(`${call.name}(${argumentList(others)})${short}`));
    setText(this.given, withVisibleControls(cut(others)));
    if (code !== this.shownCode) this.showCode(code);
    setText(this.gave, cut(call.result));
    this.given.hidden = !others || (code !== "" && others === "{}");
    this.gave.hidden = !call.result;
    if (this.shown !== call.state) this.turn(call);
  }

  /** Code is shown whole: nobody should allow what is out of sight without a hint of it. */
  private showCode(code: string): void {
    this.shownCode = code;
    this.code.textContent = withVisibleControls(code);
    this.code.hidden = this.insertion.hidden = !code;
    if (!code) return;
    this.colour(this.code, "python");
    const said = element("span", "chatnb-panel-quiet");
    said.setAttribute("role", "status");
    const button = new InsertButton(code, (words) => setText(said, words), "Insert as cell");
    this.insertion.replaceChildren(button.root, said);
  }

  private turn(call: ItemToolCall): void {
    this.shown = call.state;
    this.root.dataset.state = call.state;
    this.root.setAttribute("aria-label", `Call of ${call.name}`);
    this.fold.open = call.state === "asking" || call.state === "failed";
    this.mark.replaceChildren(icon(call.state));
    this.state.textContent = call.state === "done" ? "" : WORDS[call.state];
    this.approval?.root.remove();
    this.approval = call.state === "asking" ? new Approval(call, this.onDecision) : null;
    if (this.approval) this.root.append(this.approval.root);
  }
}

/** The argument that is code, and the other ones as JSON. */
function readArguments(json: string): { code: string; others: string } {
  try {
    const read: unknown = JSON.parse(json);
    if (isRecord(read) && typeof read.code === "string") {
      const { code, ...others } = read;
      return { code: read.code, others: JSON.stringify(others, null, 2) };
    }
  } catch {
    // They are still streaming, or no JSON: shown as they are.
  }
  return { code: "", others: json };
}

function isShort(result: string): boolean {
  const line = result.trim();
  return line !== "" && line.length <= SHORT_RESULT && !line.includes("\n");
}

/** Arguments as Python writes them: `word="heron", limit=3`. */
function argumentList(json: string): string {
  let list = json.replace(/\s+/g, " ");
  try {
    const read: unknown = JSON.parse(json);
    if (isRecord(read)) list = Object.entries(read).map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ");
  } catch {
    // They are still streaming, or no JSON: shown as they are.
  }
  return list.length > LONGEST_ARGUMENTS ? `${list.slice(0, LONGEST_ARGUMENTS)}…` : list;
}

function passage(name: string): HTMLElement {
  const made = element("pre", "chatnb-passage");
  made.tabIndex = 0;
  made.setAttribute("role", "group");
  made.setAttribute("aria-label", name);
  return made;
}

function cut(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}\n… ${text.length - LONGEST} more characters` : text;
}
