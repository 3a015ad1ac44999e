// The messages of the conversation. PanelViews are kept by message id.
import type { BlockPainter } from "../../markdown/highlighting";
import type { PanelController } from "../controller";
import { EmptyState } from "./empty";
import type { Announcer } from "../notices";
import { ReplyView } from "./reply";
import type { SliceQueue } from "../scrolling";
import type { Field, Item } from "../../generated/panel";
import { SystemMessage, UserMessage } from "./user_message";
import { element } from "../../widgets/html";

export class Log {
  readonly root = element("div", "chatnb-panel-log");
  /** The content that scrolls. */
  readonly content = element("div");
  private readonly views = new Map<string, ItemView>();
  private readonly ends = new Map<string, boolean>();
  private readonly none: EmptyState;
  private shown: { items: readonly Item[]; busy: boolean } = { items: [], busy: false };

  constructor(private readonly context: MessageContext) {
    this.root.setAttribute("role", "log");
    this.root.setAttribute("aria-live", "polite");
    this.root.setAttribute("aria-label", "Conversation");
    this.root.tabIndex = 0;
    this.none = new EmptyState(context.begin);
    this.content.append(this.none.root);
    this.root.append(this.content);
  }

  show(items: readonly Item[], busy: boolean): void {
    const held = this.holdFocus();
    const wanted = new Set(items.map(({ id }) => id));
    for (const [id, view] of this.views) if (!wanted.has(id)) this.take(id, view);
    items.forEach((item, place) => this.place(item, place, items, busy));
    this.none.root.hidden = items.length > 0;
    this.none.show(this.context.panel.state);
    // While it is busy, screen readers wait instead of reading every piece.
    this.root.setAttribute("aria-busy", String(items.at(-1)?.status === "streaming"));
    this.shown = { items, busy };
    held();
  }

  grow(item: Item, field: Field, text: string): void {
    this.views.get(item.id)?.grow(field, text);
  }

  /** Edit the user's last message. */
  editLast(): void {
    const last = this.shown.items.filter(({ role }) => role === "human").at(-1);
    const view = last && this.views.get(last.id);
    if (view instanceof UserMessage) view.edit();
  }

  dispose(): void {
    for (const [id, view] of this.views) this.take(id, view);
  }

  private place(item: Item, place: number, items: readonly Item[], busy: boolean): void {
    const there = this.views.get(item.id);
    const view = there ?? viewOf(item, this.context);
    this.views.set(item.id, view);
    // An answer of several messages has one line under it, once it has ended.
    const ends = items[place + 1] ? items[place + 1]?.role !== item.role : !busy || item.role === "human";
    const isSame = there && this.shown.busy === busy && this.shown.items[place] === item && this.ends.get(item.id) === ends;
    this.ends.set(item.id, ends);
    if (!isSame) view.show(item, busy, ends);
    const at = this.content.children[place];
    if (at !== view.root) this.content.insertBefore(view.root, at ?? this.none.root);
  }

  private take(id: string, view: ItemView): void {
    view.dispose();
    this.views.delete(id);
    this.ends.delete(id);
  }

  /** Remember what has the focus; call the result to give it to what stands in its place. */
  private holdFocus(): () => void {
    const active = document.activeElement;
    const item = active instanceof HTMLElement ? active.closest(".chatnb-panel-item") : null;
    if (!(active instanceof HTMLElement) || !item || !this.root.contains(item)) return () => {};
    const place = [...this.content.children].indexOf(item);
    const act = active.dataset.act;
    return () => {
      if (this.root.contains(document.activeElement)) return;
      const again = act && this.content.children[place]?.querySelector<HTMLElement>(`[data-act="${act}"]`);
      if (again && again.checkVisibility()) again.focus({ preventScroll: true });
      else this.context.toComposer();
    };
  }
}

export interface ItemView {
  readonly root: HTMLElement;
  /** Show the message as it is now. */
  show(item: Item, busy: boolean, ends: boolean): void;
  /** A field of it grew. */
  grow(field: Field, text: string): void;
  dispose(): void;
}

export interface MessageContext {
  panel: PanelController;
  painter: BlockPainter;
  slices: SliceQueue;
  announcer: Announcer;
  /** Give the focus to where the next message is written. */
  toComposer(): void;
  /** Write a first message, or send it at once. */
  begin(text: string, send: boolean): void;
  /** Scroll to the end, and stay there. */
  follow(): void;
}

export function viewOf(item: Item, context: MessageContext): ItemView {
  if (item.role === "human") return new UserMessage(context);
  return item.role === "ai" ? new ReplyView(context) : new SystemMessage();
}
