// The part of JupyterLab's document model that is used here, as its widget manager knows it. Other
// front ends have no such thing.
import type { AnyModel } from "@anywidget/types";
import { isRecord, readString } from "../widgets/base";

export interface Output {
  readonly output_type: string;
  readonly data?: Record<string, unknown>;
  readonly metadata?: Record<string, unknown>;
}

export interface SharedCell {
  executionState?: string;
  execution_count?: number | null;
  getSource(): string;
  setSource(source: string): void;
  getOutputs(): readonly unknown[];
  /** Changes with the origin "silent-change" are saved and not shown. */
  updateOutputs(start: number, end: number, outputs: readonly Output[], origin?: string): void;
}

export interface Outputs {
  readonly length: number;
  get(index: number): { toJSON(): Output };
  set(index: number, output: Output): void;
  add(output: Output): number;
  /** With `wait`, what is there stays until the next output is added. */
  clear(wait?: boolean): void;
}

export interface CellModel {
  readonly id: string;
  readonly type: string;
  readonly sharedModel: SharedCell;
  readonly outputs?: Outputs;
  trusted: boolean;
  mimeType?: string;
  readonly mimeTypeChanged?: Signal<unknown>;
  readonly contentChanged?: Signal<unknown>;
}

interface Signal<Args> {
  connect(slot: (sender: unknown, args: Args) => void): void;
  disconnect(slot: (sender: unknown, args: Args) => void): void;
}

export interface NotebookContext {
  readonly ready: Promise<void>;
  readonly saveState: Signal<string>;
  readonly model: {
    readonly collaborative?: boolean;
    readonly cells: {
      readonly length: number;
      readonly changed?: Signal<unknown>;
      get(index: number): CellModel;
    };
    readonly sharedModel: { insertCell(index: number, cell: Record<string, unknown>): unknown };
    getMetadata(name: string): unknown;
    setMetadata(name: string, value: unknown): void;
    deleteMetadata(name: string): void;
  };
}

/** The notebook of a widget's page, or null in other front ends. */
export function notebookOf(model: AnyModel): NotebookContext | null {
  const manager = model.widget_manager as { context?: NotebookContext } | undefined;
  const context = manager?.context;
  return context?.model?.cells && context.saveState ? context : null;
}

export interface Found {
  readonly cell: CellModel;
  readonly outputs: Outputs;
  readonly index: number;
}

const WIDGET_STATE = "application/vnd.jupyter.widget-state+json";

/** Take the state of chatnb's own widgets out of the file: they have nothing to show without a kernel. */
export function removeOwnState({ model }: NotebookContext): void {
  const widgets = model.getMetadata("widgets");
  const saved = isRecord(widgets) ? widgets[WIDGET_STATE] : null;
  if (!isRecord(widgets) || !isRecord(saved) || !isRecord(saved.state)) return;
  const states = Object.entries(saved.state);
  const own = new Set(states.flatMap(([id, kept]) => ownModels(id, kept)));
  const others = states.filter(([id]) => !own.has(id));
  if (!others.length) return model.deleteMetadata("widgets");
  model.setMetadata("widgets", { ...widgets, [WIDGET_STATE]: { ...saved, state: Object.fromEntries(others) } });
}

/** The ids of a widget of chatnb and of its layout; of another's, none. */
function ownModels(id: string, kept: unknown): string[] {
  const state = isRecord(kept) ? kept.state : null;
  if (!isRecord(state) || !readString(state._anywidget_id).startsWith("chatnb.")) return [];
  return [id, readString(state.layout).replace("IPY_MODEL_", "")];
}

export const WIDGET_VIEW = "application/vnd.jupyter.widget-view+json";

/** The first output for which `test` is true. */
export function findOutput(context: NotebookContext, test: (output: Output) => boolean): Found | null {
  for (const cell of codeCells(context)) {
    const { outputs } = cell;
    for (let index = 0; index < outputs.length; index += 1) {
      if (test(outputs.get(index).toJSON())) return { cell, outputs, index };
    }
  }
  return null;
}

export function* codeCells(context: NotebookContext): Generator<CellModel & { outputs: Outputs }> {
  const { cells } = context.model;
  for (let index = 0; index < cells.length; index += 1) {
    const cell = cells.get(index);
    if (hasOutputs(cell)) yield cell;
  }
}

function hasOutputs(cell: CellModel): cell is CellModel & { outputs: Outputs } {
  return cell.type === "code" && cell.outputs !== undefined;
}

/** The text form of an output. */
export function plainText({ data }: Output): string {
  const text = data?.["text/plain"];
  return Array.isArray(text) ? text.join("") : readString(text);
}

/** The model that an output shows, or "". */
export function viewIn(output: Output): string {
  const view = output.data?.[WIDGET_VIEW];
  return isRecord(view) ? String(view.model_id ?? "") : "";
}
