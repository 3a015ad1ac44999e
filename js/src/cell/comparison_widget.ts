// The widget of a comparison while it streams: a reply for each column of one model.
import type { AnyModel } from "@anywidget/types";
import type { ColumnState, ComparisonViewTraits } from "../generated/cell";
import { isRecord } from "../widgets/base";
import { element } from "../widgets/html";
import { Reply, type ReplyModel } from "./reply";
import { showReply } from "./reply_widget";

type Model = AnyModel<ComparisonViewTraits>;

export class Comparison {
  readonly replies: Reply[];
  private readonly columns: ColumnModel[];

  constructor(private readonly model: Model) {
    this.columns = model.get("columns").map((_, index) => new ColumnModel(model, index));
    this.replies = this.columns.map((column) => new Reply(column, true));
    model.on("change:columns", this.takeColumns);
    model.on("change:snapshots", this.takeSnapshots);
    model.on("msg:custom", this.onMessage);
  }

  /** As in the finished comparison. */
  get gridColumns(): string {
    return this.model.get("grid_columns");
  }

  dispose(): void {
    this.model.off("change:columns", this.takeColumns);
    this.model.off("change:snapshots", this.takeSnapshots);
    this.model.off("msg:custom", this.onMessage);
    for (const reply of this.replies) reply.dispose();
  }

  private readonly takeColumns = (): void => {
    for (const column of this.columns) column.update();
  };

  private readonly takeSnapshots = (): void => {
    for (const column of this.columns) column.trigger("change:snapshot");
  };

  private readonly onMessage = (content: unknown): void => {
    if (!isRecord(content)) return;
    for (const [index, column] of this.columns.entries()) {
      if ((content.column ?? index) === index) column.trigger("msg:custom", content);
    }
  };
}

/** Show the columns in `el`; the result removes them. */
export function showComparison({ replies, gridColumns }: Comparison, el: HTMLElement): () => void {
  const root = element("div", "chatnb-comparison");
  root.style.gridTemplateColumns = gridColumns;
  el.append(root);
  const removals = replies.map((reply) => showReply(reply, root));
  return () => {
    for (const remove of removals) remove();
    root.remove();
  };
}

type Handler = (value?: any) => void;

/** A column of the comparison's model, as the model of its reply. */
class ColumnModel implements ReplyModel {
  private readonly handlers = new Map<string, Set<Handler>>();
  private state: ColumnState | undefined;

  constructor(
    private readonly model: Model,
    private readonly index: number,
  ) {
    this.state = this.read();
  }

  get widget_manager(): Model["widget_manager"] {
    return this.model.widget_manager;
  }

  get(name: string): unknown {
    if (name === "snapshot") return this.model.get("snapshots")[this.index];
    if (name === "media") return this.model.get("media")[this.index];
    return this.state?.[name as keyof ColumnState] ?? this.model.get(name as "stop_with");
  }

  send(message: unknown): void {
    this.model.send(message);
  }

  on(name: string, handler: Handler): void {
    this.handlers.set(name, (this.handlers.get(name) ?? new Set()).add(handler));
  }

  off(name: string, handler: Handler): void {
    this.handlers.get(name)?.delete(handler);
  }

  trigger(name: string, value?: unknown): void {
    for (const handler of [...(this.handlers.get(name) ?? [])]) handler(value);
  }

  /** Take the state of the column, of which the others may be all that has changed. */
  update(): void {
    const [before, state] = [this.state, this.read()];
    this.state = state;
    if (before?.phase !== state?.phase) this.trigger("change:phase");
    else if (before?.note !== state?.note) this.trigger("change:note");
  }

  private read(): ColumnState | undefined {
    return (this.model.get("columns") as ColumnState[])[this.index];
  }
}
