// The outputs of %%chat cells in the notebook's page: partial replies in saved files, running
// replies after a reload, final outputs that did not arrive.
import type { AnyModel } from "@anywidget/types";
import type {
  AnswerOutputs, AnswerPlace, CellOutputsTraits, Draft, FinalOutputs, Request, RunningReply,
} from "../generated/cell_outputs";
import { defineWidget, isRecord, readNumber, readString } from "../widgets/base";
import { isLost, type KernelConnection, kernelOf } from "../widgets/kernel";
import { addActions, type Cells } from "./actions";
import { keepRepliesOpen } from "./frames";
import { colourPrompts } from "./prompts";
import {
  codeCells, type Found, findOutput, type NotebookContext, notebookOf, type Output,
  plainText, removeOwnState, viewIn, WIDGET_VIEW,
} from "./notebook";

const GONE = "*Broke off: the kernel is gone. `%chat resume` goes on.*";
const GONE_BEFORE_ANYTHING = "*Nothing arrived: the kernel is gone. Run the cell again.*";

export class CellOutputs implements Cells {
  private readonly context: NotebookContext | null;
  private readonly kernel: KernelConnection | null;
  private readonly drafts = new Map<string, string>();
  /** The replies whose live view this page has had in the notebook. */
  private readonly shown = new Set<string>();
  private kernelIsGone = false;
  private leave: (() => void)[] = [];
  private refresh = (): void => {};

  constructor(private readonly model: AnyModel<CellOutputsTraits>) {
    this.context = notebookOf(model as AnyModel);
    this.kernel = kernelOf(model as AnyModel);
    model.on("msg:custom", this.onMessage);
    model.on("change:replies", this.update);
    this.context?.saveState.connect(this.onSave);
    this.kernel?.statusChanged?.connect(this.checkKernel);
    void this.begin();
  }

  dispose(): void {
    this.model.off("msg:custom", this.onMessage);
    this.model.off("change:replies", this.update);
    this.context?.saveState.disconnect(this.onSave);
    this.kernel?.statusChanged?.disconnect(this.checkKernel);
    for (const leave of this.leave) leave();
  }

  /** Show what runs, or has ended, since before this page was loaded. */
  private async begin(): Promise<void> {
    await this.context?.ready;
    if (this.context) {
      const { refresh, remove } = addActions(this.context, this);
      this.refresh = refresh;
      this.model.on("change:answers", refresh);
      const forget = (): void => this.model.off("change:answers", refresh);
      this.leave = [forget, remove, colourPrompts(this.context), keepRepliesOpen(this.model as AnyModel)];
    }
    for (const [id, reply] of this.replies()) {
      if (reply.finished || this.find(id, reply)) continue;
      const place = this.placeFor(reply);
      if (place) this.put(place, [liveView(reply)]);
    }
    this.update();
    this.send({ type: "hello" });
  }

  askAgain(cell_id: string): void {
    this.send({ type: "ask_again", cell_id });
  }

  place(cellId: string): AnswerPlace | null {
    const answers: unknown = this.kernelIsGone ? null : this.model.get("answers");
    const place = isRecord(answers) ? answers[cellId] : null;
    const [index, count] = isRecord(place) ? [place.index, place.count].map(readNumber) : [];
    return index && count ? { index, count } : null;
  }

  select(cell_id: string, index: number): void {
    this.send({ type: "select_answer", cell_id, index });
  }

  private readonly update = (): void => {
    for (const [id, reply] of this.replies()) {
      const found = this.context && this.find(id, reply);
      if (found) this.shown.add(id);
      if (found && !reply.finished) this.show(found, reply);
      if (!reply.finished) continue;
      // JupyterLab has replaced the view that this page has shown.
      const arrived = !this.context || (this.shown.has(id) && !found);
      this.send({ type: arrived ? "delivered" : "get_outputs", id });
    }
  };

  private show({ outputs, index, cell }: Found, reply: RunningReply): void {
    if (viewIn(outputs.get(index).toJSON())) return;
    cell.trusted = true;
    outputs.set(index, liveView(reply));
    setRunning(cell.sharedModel, true);
  }

  private find(id: string, reply: RunningReply): Found | null {
    if (!this.context) return null;
    const isOwn = (output: Output): boolean => viewIn(output) === reply.view_id || replyIn(output) === id;
    return findOutput(this.context, isOwn);
  }

  /** The cell that ran, in which this page has none of its outputs; a shared document has them. */
  private placeFor(reply: RunningReply): Found | null {
    return this.context?.model.collaborative ? null : this.cell(reply.cell_id);
  }

  private cell(id: string): Found | null {
    const found = this.context && [...codeCells(this.context)].find((cell) => id && cell.id === id);
    return found ? { cell: found, outputs: found.outputs, index: 0 } : null;
  }

  /** Make these the outputs of the cell; it runs in this kernel, on the reader's word. */
  private put({ cell, outputs }: Found, given: readonly Output[]): void {
    // What is there stays until the first one is drawn, so that nothing moves meanwhile.
    outputs.clear(true);
    cell.trusted = true;
    for (const output of given) outputs.add(output);
    setRunning(cell.sharedModel, given.some(viewIn));
  }

  private readonly onMessage = (content: unknown): void => {
    if (!isRecord(content)) return;
    if (content.type === "draft") this.takeDraft(content as unknown as Draft);
    if (content.type === "outputs") this.takeOutputs(content as unknown as FinalOutputs);
    if (content.type === "answer") this.takeAnswer(content as unknown as AnswerOutputs);
  };

  private takeDraft({ id, start, text }: Draft): void {
    const known = this.drafts.get(id) ?? "";
    if (start > known.length) this.send({ type: "hello" });
    else this.drafts.set(id, known.slice(0, start) + text);
  }

  private takeOutputs({ id, outputs, execution_count }: FinalOutputs): void {
    const reply = this.replies().find(([key]) => key === id)?.[1];
    if (!reply || !Array.isArray(outputs)) return;
    const found = this.find(id, reply);
    const place = found ?? this.placeFor(reply);
    // Folded reasoning, which may come first, has no text.
    const told = (outputs as unknown as Output[]).find(plainText);
    if (place && !(found === null && told && holds(place, told))) {
      this.replace(place, found, outputs as unknown as Output[]);
      place.cell.sharedModel.execution_count = execution_count;
    }
    this.drafts.delete(id);
    this.send({ type: "delivered", id });
  }

  private takeAnswer({ cell_id, outputs }: AnswerOutputs): void {
    const place = this.cell(cell_id);
    if (place && Array.isArray(outputs)) this.put(place, outputs as unknown as Output[]);
  }

  private replace(place: Found, found: Found | null, outputs: readonly Output[]): void {
    if (!found || found.outputs.length === 1) return this.put(place, outputs);
    const [first, ...more] = outputs;
    if (first) found.outputs.set(found.index, first);
    for (const output of more) found.outputs.add(output);
    setRunning(place.cell.sharedModel, false);
  }

  /** Put the text so far in the place of live views, in the file alone. */
  private readonly onSave = (_: unknown, state: string): void => {
    if (state !== "started") return;
    for (const [id, reply] of this.replies()) {
      const found = reply.finished ? null : this.find(id, reply);
      if (!found) continue;
      const { cell, index } = found;
      cell.sharedModel.updateOutputs(index, index + 1, [this.saved(id, reply)], "silent-change");
    }
    // The widget manager, which was there first, has just written the states.
    if (this.context) removeOwnState(this.context);
  };

  private saved(id: string, reply: RunningReply): Output {
    const draft = this.drafts.get(id) ?? reply.note;
    const arrived = draft.slice(0, draft.length - reply.note.length);
    const gone = arrived ? arrived + GONE : GONE_BEFORE_ANYTHING;
    const text = this.kernelIsGone ? gone : draft;
    const data = { "text/markdown": text, "text/plain": text };
    return { output_type: "display_data", metadata: { chatnb: { reply: id } }, data };
  }

  private readonly checkKernel = (): void => {
    if (this.kernelIsGone || !isLost(this.kernel)) return;
    this.kernelIsGone = true;
    this.refresh();
  };

  private replies(): [string, RunningReply][] {
    const replies: unknown = this.model.get("replies");
    if (!isRecord(replies)) return [];
    return Object.entries(replies).flatMap(([id, reply]) => (isRecord(reply) ? [[id, readReply(reply)]] : []));
  }

  private send(message: Request): void {
    if (!this.kernelIsGone) this.model.send(message);
  }
}

function readReply(reply: Record<string, unknown>): RunningReply {
  const [cell_id, view_id, note] = [reply.cell_id, reply.view_id, reply.note].map(readString) as [string, string, string];
  return { cell_id, view_id, note, finished: reply.finished === true };
}

function liveView(reply: RunningReply): Output {
  const view = { version_major: 2, version_minor: 0, model_id: reply.view_id };
  return { output_type: "display_data", metadata: {}, data: { [WIDGET_VIEW]: view } };
}

/** The reply whose text so far is in a saved output, or "". */
function replyIn({ metadata }: Output): string {
  return isRecord(metadata?.chatnb) ? readString(metadata.chatnb.reply) : "";
}

/** Whether the cell has an output with the same text. */
function holds({ outputs }: Found, output: Output): boolean {
  const text = plainText(output);
  for (let index = 0; index < outputs.length; index += 1) {
    if (plainText(outputs.get(index).toJSON()) === text) return true;
  }
  return false;
}

function setRunning(cell: { executionState?: string }, running: boolean): void {
  if ("executionState" in cell) cell.executionState = running ? "running" : "idle";
}

export default defineWidget((model: AnyModel<CellOutputsTraits>) => new CellOutputs(model), () => () => {});
