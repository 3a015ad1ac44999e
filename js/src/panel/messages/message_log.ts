// The messages of the conversation, of which those near what is in sight are in the page.
import type { BlockPainter } from "../../markdown/highlighting";
import type { PanelController } from "../controller";
import { EmptyState } from "./empty";
import type { Announcer } from "../notices";
import { ReplyView } from "./reply";
import type { SliceQueue } from "../scrolling";
import type { Field, Item } from "../../generated/panel";
import { SystemMessage, UserMessage } from "./user_message";
import { element } from "../../widgets/html";
import { isPlain } from "../../widgets/keyboard";

/** So many messages are put into the page, and taken out of it, together. */
const GROUP_MESSAGES = 20;
/** So many groups, the last ones, are in the page as a panel opens. */
const FIRST_GROUPS = 2;
/** A group is in the page while it is in sight, or as near as so many heights of the log. */
const NEAR = "200%";
/** The height of a message that has never been in the page. */
const ESTIMATED_PIXELS = 90;

export class Log {
  readonly root = element("div", "chatnb-panel-log");
  /** The content that scrolls. */
  readonly content = element("div");
  private readonly views = new Map<string, ItemView>();
  /** What each view shows. */
  private readonly shown = new Map<string, readonly unknown[]>();
  private readonly groups: Group[] = [];
  private readonly groupOf = new WeakMap<Element, Group>();
  private readonly none: EmptyState;
  private readonly observer: IntersectionObserver;
  private items: readonly Item[] = [];
  private busy = false;

  constructor(private readonly context: MessageContext) {
    this.root.setAttribute("role", "log");
    this.root.setAttribute("aria-label", "Conversation");
    this.root.setAttribute("aria-live", "polite");
    this.root.tabIndex = 0;
    this.root.addEventListener("keydown", this.press);
    this.none = new EmptyState(context.begin);
    this.content.append(this.none.root);
    this.root.append(this.content);
    this.observer = new IntersectionObserver((entries) => this.look(entries), { root: this.root, rootMargin: NEAR });
  }

  show(items: readonly Item[], busy: boolean): void {
    const held = this.holdFocus();
    const wanted = new Set(items.map(({ id }) => id));
    for (const [id, view] of this.views) if (!wanted.has(id)) this.take(id, view);
    [this.items, this.busy] = [items, busy];
    this.fitGroups();
    for (const group of this.groups) if (group.isFilled) this.fill(group);
    this.none.root.hidden = items.length > 0;
    this.none.show(this.context.panel.state);
    // While it is busy, screen readers wait instead of reading every piece.
    this.root.setAttribute("aria-busy", String(items.at(-1)?.status === "streaming"));
    held();
  }

  grow(item: Item, field: Field, text: string): void {
    this.views.get(item.id)?.grow(field, text);
  }

  /** Edit the user's last message. */
  editLast(): void {
    const last = this.items.findLastIndex(({ role }) => role === "human");
    const group = this.groups[Math.floor(last / GROUP_MESSAGES)];
    if (!group) return;
    this.fill(group);
    const view = this.views.get((this.items[last] as Item).id);
    if (view instanceof UserMessage) view.edit();
  }

  dispose(): void {
    this.observer.disconnect();
    for (const [id, view] of this.views) this.take(id, view);
  }

  // The browser would scroll there by and by, and stop short by as much as the groups on the way
  // turn out to be higher than their spaces.
  private readonly press = (event: KeyboardEvent): void => {
    if (event.key !== "Home" || event.target !== this.root || !isPlain(event)) return;
    event.preventDefault();
    this.root.scrollTop = 0;
  };

  /** Have as many groups as the messages need. */
  private fitGroups(): void {
    const before = this.groups.length;
    const count = Math.ceil(this.items.length / GROUP_MESSAGES);
    for (const group of this.groups.splice(count)) {
      this.observer.unobserve(group.root);
      group.root.remove();
    }
    for (let number = before; number < count; number += 1) {
      const group = new Group(number);
      this.groups.push(group);
      this.groupOf.set(group.root, group);
      this.content.append(group.root);
      this.observer.observe(group.root);
      // All but the last ones wait until the reader comes near.
      if (number < count - FIRST_GROUPS) group.empty(GROUP_MESSAGES * ESTIMATED_PIXELS);
    }
    // Screen readers read what is added at the end, and not what comes back into the page.
    if (count !== before) this.groups.forEach((group, number) => group.setLive(number === count - 1));
  }

  /** Fill the groups that have come near, and empty those that are not near any more. */
  private look(entries: readonly IntersectionObserverEntry[]): void {
    // A log that is hidden, or is being moved, is near nothing: then all stays as it is.
    if (!this.root.checkVisibility()) return;
    for (const { target, isIntersecting } of entries) {
      const group = this.groupOf.get(target);
      if (group) group.isNear = isIntersecting;
    }
    for (const group of this.groups) {
      if (group.isNear && !group.isFilled) this.keepPlace(group, () => this.fill(group));
      else if (!group.isNear && group.isFilled && group !== this.groups.at(-1) && !group.isInUse) group.empty();
    }
  }

  /** Show the messages of a group, in their order. */
  private fill(group: Group): void {
    group.isFilled = true;
    const start = group.number * GROUP_MESSAGES;
    const end = Math.min(start + GROUP_MESSAGES, this.items.length);
    let next = group.root.firstElementChild;
    for (let index = start; index < end; index += 1) {
      const { root } = this.update(index);
      if (root === next) next = next.nextElementSibling;
      else group.root.insertBefore(root, next);
    }
    while (next) {
      const after = next.nextElementSibling;
      next.remove();
      next = after;
    }
  }

  /** Keep what is read in its place, where the browser does not, while a group changes its height. */
  private keepPlace(group: Group, change: () => void): void {
    if (CSS.supports("overflow-anchor", "auto")) return change();
    const isAbove = group.root.offsetTop < this.root.scrollTop;
    const before = group.root.offsetHeight;
    change();
    if (isAbove) this.root.scrollTop += group.root.offsetHeight - before;
  }

  /** Return the view of a message, as it is now. */
  private update(index: number): ItemView {
    const [item, previous, following] = [this.items[index] as Item, this.items[index - 1], this.items[index + 1]];
    const view = this.views.get(item.id) ?? viewOf(item, this.context);
    // An answer of several messages has one line under it, once it has ended.
    const ends = following ? following.role !== item.role : !this.busy || item.role === "human";
    const now = [item, this.busy, ends, previous?.role];
    const before = this.shown.get(item.id);
    if (before && now.every((value, place) => value === before[place])) return view;
    this.views.set(item.id, view);
    this.shown.set(item.id, now);
    view.show(item, this.busy, ends);
    view.root.toggleAttribute("data-first", !previous);
    view.root.toggleAttribute("data-goes-on", previous?.role === item.role);
    return view;
  }

  private take(id: string, view: ItemView): void {
    view.dispose();
    this.views.delete(id);
    this.shown.delete(id);
  }

  /** Remember what has the focus; call the result to give it to what stands in its place. */
  private holdFocus(): () => void {
    const active = document.activeElement;
    const item = active instanceof HTMLElement ? active.closest(".chatnb-panel-item") : null;
    if (!(active instanceof HTMLElement) || !item || !this.root.contains(item)) return () => {};
    const group = item.parentElement;
    const place = [...(group?.children ?? [])].indexOf(item);
    const act = active.dataset.act;
    return () => {
      if (this.root.contains(document.activeElement)) return;
      const again = act && group?.children[place]?.querySelector<HTMLElement>(`[data-act="${act}"]`);
      if (again && again.checkVisibility()) again.focus({ preventScroll: true });
      else this.context.toComposer();
    };
  }
}

/** Messages that are in the page together, or a space of their height. */
class Group {
  readonly root = element("div", "chatnb-panel-group");
  isFilled = true;
  isNear = true;

  constructor(readonly number: number) {}

  /** Whether the reader has the focus or a selection in it. */
  get isInUse(): boolean {
    const selection = getSelection();
    return (
      this.root.contains(document.activeElement) ||
      (selection !== null && !selection.isCollapsed && selection.containsNode(this.root, true))
    );
  }

  setLive(isLive: boolean): void {
    if (isLive) this.root.removeAttribute("aria-live");
    else this.root.setAttribute("aria-live", "off");
  }

  /** Leave a space of a height, by default of that which the messages have. */
  empty(height = this.root.offsetHeight): void {
    this.isFilled = false;
    const first = this.number * GROUP_MESSAGES + 1;
    // Screen readers bring it into sight by reading it.
    const place = element("div", "chatnb-panel-space", `Messages ${first} to ${first + GROUP_MESSAGES - 1}`);
    place.style.height = `${height}px`;
    this.root.replaceChildren(place);
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
