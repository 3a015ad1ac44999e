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

/** So many messages are in the page as a panel opens; those before them are made in slices. */
const FIRST_SHOWN = 50;
/** So many are added at a time: whatever is added, the browser looks at all messages again. */
const ADDED_AT_ONCE = 200;

export class Log {
  readonly root = element("div", "chatnb-panel-log");
  /** The content that scrolls. */
  readonly content = element("div");
  private readonly views = new Map<string, ItemView>();
  private readonly ends = new Map<string, boolean>();
  private readonly none: EmptyState;
  private shown: { items: readonly Item[]; busy: boolean } = { items: [], busy: false };
  /** The index of the first message that has a view. */
  private first = 0;
  /** The first ones, which are not in the page yet. */
  private readonly earlier = document.createDocumentFragment();

  constructor(private readonly context: MessageContext) {
    this.root.setAttribute("role", "log");
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
    this.first = this.findFirst(items);
    if (this.first > 0) this.context.slices.add(this.addEarlier);
    this.setLive();
    let next = this.content.firstElementChild;
    for (let index = this.first; index < items.length; index += 1) next = this.place(index, next, items, busy);
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

  /** Show a message before `next`, unless it is there; return the element after it. */
  private place(index: number, next: Element | null, items: readonly Item[], busy: boolean): Element | null {
    const view = this.update(index, items, busy);
    if (view.root === next) return next.nextElementSibling;
    this.content.insertBefore(view.root, next);
    return next;
  }

  private update(index: number, items: readonly Item[], busy: boolean): ItemView {
    const item = items[index] as Item;
    const there = this.views.get(item.id);
    const view = there ?? viewOf(item, this.context);
    this.views.set(item.id, view);
    // An answer of several messages has one line under it, once it has ended.
    const ends = items[index + 1] ? items[index + 1]?.role !== item.role : !busy || item.role === "human";
    const isSame = there && this.shown.busy === busy && this.shown.items[index] === item && this.ends.get(item.id) === ends;
    this.ends.set(item.id, ends);
    if (!isSame) view.show(item, busy, ends);
    return view;
  }

  private findFirst(items: readonly Item[]): number {
    const known = items.findIndex(({ id }) => this.views.has(id));
    return known < 0 ? Math.max(0, items.length - FIRST_SHOWN) : known;
  }

  /** Make the message before the first one, and say whether there may be more. */
  private readonly addEarlier = (): boolean => {
    if (this.first === 0) {
      this.setLive();
      return false;
    }
    this.first -= 1;
    this.earlier.prepend(this.update(this.first, this.shown.items, this.shown.busy).root);
    const isWhole = this.first === 0 || this.earlier.childElementCount >= ADDED_AT_ONCE;
    if (isWhole) this.content.prepend(this.earlier);
    return true;
  };

  /** Screen readers read what is added at the end, and not all that came before. */
  private setLive(): void {
    this.root.setAttribute("aria-live", this.first > 0 ? "off" : "polite");
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
