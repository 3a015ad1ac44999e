// The widget of a panel: header, message log, notice and composer.
import { BlockPainter } from "../markdown/highlighting";
import { action } from "../widgets/buttons";
import { Composer, takeDrops } from "./composer/composer";
import { PanelController, type PanelListener } from "./controller";
import { Header } from "./header";
import { KeepInSight } from "../widgets/in_sight";
import { type MessageContext, Log } from "./messages/message_log";
import { Announcer, Notice } from "./notices";
import { AutoScroll, SliceQueue } from "./scrolling";
import type { Item } from "../generated/panel";
import type { Effect, PanelModel } from "./updates";
import { defineWidget } from "../widgets/base";
import { element } from "../widgets/html";
import { isPlain, isWriting, keepKeys } from "../widgets/keyboard";

class PanelView implements PanelListener {
  readonly root = element("div", "chatnb-panel chatnb-view");
  private readonly announcer = new Announcer();
  private readonly painter: BlockPainter;
  private readonly header: Header;
  private readonly log: Log;
  private readonly latest = action("latest", "Jump to latest", () => this.jump(), "Jump to latest");
  private readonly notice: Notice;
  private readonly composer: Composer;
  private readonly scrolling: AutoScroll;
  private readonly inSight: KeepInSight;
  private readonly focus: FocusKeeper;
  private readonly slices = new SliceQueue(() => this.scrolling.go());
  private readonly leave: (() => void)[];
  private announced: Item | undefined;
  private busy = false;

  constructor(private readonly panel: PanelController) {
    this.painter = new BlockPainter(panel.renderers, () => panel.askForHighlighter());
    this.header = new Header(panel);
    this.log = new Log(this.context());
    this.notice = new Notice(panel);
    this.composer = new Composer(panel, this.announcer, () => this.log.editLast());
    this.notice.onFocusLost = () => this.composer.focus();
    this.scrolling = new AutoScroll(this.log.root, this.log.content, (follows) => this.turnLatest(follows));
    this.inSight = new KeepInSight(this.root, () => this.scrolling.isFollowing, "in sight");
    this.focus = new FocusKeeper(this.root);
    this.leave = [panel.listen(this), keepKeys(this.root, (event) => isPlain(event) || isWriting(event))];
    this.build();
    this.turn({ type: "all" });
    this.announced = panel.items.at(-1);
  }

  turn(effect: Effect): void {
    const { items, state } = this.panel;
    if (effect.type === "grow") {
      this.log.grow(items[effect.index] as Item, effect.field, effect.text);
      this.composer.statusLine.add(effect.text.length);
      return this.scrolling.go();
    }
    this.showLog();
    if (effect.type === "state" || effect.type === "all") this.header.show();
    this.root.toggleAttribute("data-running", state.running);
    this.waits();
    this.announce(items.at(-1));
    this.scrolling.go();
  }

  waits(): void {
    if (this.busy !== this.panel.isBusy) this.showLog();
    this.composer.show();
    this.notice.show(this.composer.objection);
  }

  private showLog(): void {
    this.busy = this.panel.isBusy;
    this.log.show(this.panel.items, this.busy);
  }

  dispose(): void {
    for (const leave of this.leave) leave();
    this.log.dispose();
    this.slices.dispose();
    this.scrolling.dispose();
    this.inSight.dispose();
    this.composer.statusLine.dispose();
    this.painter.dispose();
    this.root.remove();
  }

  private build(): void {
    const frame = element("div", "chatnb-panel-frame");
    const below = element("div", "chatnb-panel-below");
    this.latest.hidden = true;
    this.latest.classList.add("chatnb-panel-latest");
    frame.append(this.log.root, this.latest);
    below.append(this.notice.root, this.composer.root);
    this.root.setAttribute("role", "region");
    this.root.setAttribute("aria-label", "Chat");
    this.root.append(this.header.root, frame, below, this.announcer.root);
    this.root.addEventListener("keydown", this.press);
    this.root.addEventListener("focusin", () => this.inSight.want());
    takeDrops(this.root, (files) => this.composer.attach(files));
  }

  /** Move to another element, keeping focus and scroll position. */
  enter(place: HTMLElement): void {
    place.append(this.root);
    // A tab of its own has room for more than a cell.
    this.root.toggleAttribute("data-beside", !place.closest(".jp-Cell") && place.closest(".jp-OutputArea") !== null);
    this.scrolling.restore();
    this.focus.restore();
  }

  private context(): MessageContext {
    return {
      panel: this.panel,
      painter: this.painter,
      slices: this.slices,
      announcer: this.announcer,
      toComposer: () => this.composer.focus(),
      begin: (text, send) => this.composer.begin(text, send),
      follow: () => this.follow(),
    };
  }

  private readonly press = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || event.isComposing || !this.panel.state.running) return;
    event.preventDefault();
    this.composer.stop();
  };

  private follow(): void {
    this.scrolling.toEnd();
    this.inSight.want();
  }

  private jump(): void {
    this.follow();
    this.composer.focus();
  }

  private turnLatest(follows: boolean): void {
    const hadFocus = document.activeElement === this.latest;
    this.latest.hidden = follows;
    if (hadFocus && follows) this.composer.focus();
  }

  /** Announce the status of the last reply when it has changed. */
  private announce(last: Item | undefined): void {
    const before = this.announced;
    this.announced = last;
    if (!last) return;
    if (last.role === "human" && before?.id !== last.id) this.scrolling.toEnd();
    if (last.role === "ai" && before?.status !== last.status) this.announcer.say(WORDS[last.status]);
  }
}

const WORDS: Record<Item["status"], string> = {
  streaming: "The answer is coming.",
  done: "The answer is complete.",
  stopped: "The answer was stopped.",
  failed: "The answer failed.",
  waiting: "A tool asks for your approval.",
};

/** Keeps the focus of a view that is removed and put back: a notebook redraws an output when it is
    updated. */
class FocusKeeper {
  private held: HTMLElement | null = null;

  constructor(private readonly root: HTMLElement) {
    root.addEventListener("focusin", (event) => {
      if (event.target instanceof HTMLElement) this.held = event.target;
    });
    root.addEventListener("focusout", () => setTimeout(this.noteBlur));
  }

  /** Focus the last focused element again, unless another element has the focus. */
  restore(): void {
    if (this.held && document.activeElement === document.body) this.held.focus({ preventScroll: true });
  }

  // An element that is removed does not lose its focus.
  private readonly noteBlur = (): void => {
    if (this.root.isConnected && !this.root.contains(document.activeElement)) this.held = null;
  };
}

/** The views of a panel. A view whose mount point is removed is kept for the next one. */
class PanelViews {
  private readonly all = new Set<PanelView>();
  private readonly spare: PanelView[] = [];

  constructor(private readonly panel: PanelController) {}

  /** Until the first snapshot is here, the static transcript shows more than a view would. */
  whenReady(listener: () => void): void {
    this.panel.whenReady(listener);
  }

  /** Show the panel in `el`; the result removes it. */
  show(el: HTMLElement): () => void {
    const view = this.spare.pop() ?? new PanelView(this.panel);
    this.all.add(view);
    view.enter(el);
    this.panel.presence.change(1);
    return () => {
      this.panel.presence.change(-1);
      view.root.remove();
      this.spare.push(view);
    };
  }

  dispose(): void {
    for (const view of this.all) view.dispose();
    this.panel.dispose();
  }
}

export default defineWidget(
  (model: PanelModel) => new PanelViews(new PanelController(model)),
  (views, el) => views.show(el),
);
