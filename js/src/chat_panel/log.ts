// The messages of the conversation. What is there stays there: views are kept by the message's id.
import { element } from "../view/elements";
import type { Item } from "./item";
import { type Desk, type ItemView, viewOf } from "./item_view";
import type { Growing } from "./messages";
import { Question } from "./question";

export class Log {
  readonly root = element("div", "chatnb-panel-log");
  /** What scrolls in it. */
  readonly content = element("div");
  private readonly views = new Map<string, ItemView>();
  private readonly none = element("div", "chatnb-panel-none");
  private shown: { items: readonly Item[]; busy: boolean } = { items: [], busy: false };

  constructor(private readonly desk: Desk) {
    this.root.setAttribute("role", "log");
    this.root.setAttribute("aria-live", "polite");
    this.root.setAttribute("aria-label", "Conversation");
    this.root.tabIndex = 0;
    this.none.textContent = "Ask something to begin.\nEnter sends · Shift+Enter breaks the line · Esc stops";
    this.content.append(this.none);
    this.root.append(this.content);
  }

  show(items: readonly Item[], busy: boolean): void {
    const held = this.holdFocus();
    const wanted = new Set(items.map(({ id }) => id));
    for (const [id, view] of this.views) if (!wanted.has(id)) this.take(id, view);
    items.forEach((item, place) => this.place(item, place, busy));
    this.none.hidden = items.length > 0;
    // While it is busy, screen readers wait instead of reading every piece.
    this.root.setAttribute("aria-busy", String(items.at(-1)?.status === "streaming"));
    this.shown = { items, busy };
    held();
  }

  grow(item: Item, field: Growing, text: string): void {
    this.views.get(item.id)?.grow(field, text);
  }

  /** Write the last message of one's own anew. */
  editLast(): void {
    const last = this.shown.items.filter(({ role }) => role === "human").at(-1);
    const view = last && this.views.get(last.id);
    if (view instanceof Question) view.edit();
  }

  dispose(): void {
    for (const [id, view] of this.views) this.take(id, view);
  }

  private place(item: Item, place: number, busy: boolean): void {
    const there = this.views.get(item.id);
    const view = there ?? viewOf(item, this.desk);
    this.views.set(item.id, view);
    const isSame = there && this.shown.busy === busy && this.shown.items[place] === item;
    if (!isSame) view.show(item, busy);
    const at = this.content.children[place];
    if (at !== view.root) this.content.insertBefore(view.root, at ?? this.none);
  }

  private take(id: string, view: ItemView): void {
    view.dispose();
    this.views.delete(id);
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
      else this.desk.toComposer();
    };
  }
}
