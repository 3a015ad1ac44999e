// One view of a conversation: what stands above, in and below the log.
import { CodePainter } from "../markdown/highlighting";
import { element } from "../view/elements";
import { isPlain, isWriting, keepKeys } from "../view/keys";
import { action } from "./action";
import { Announcer } from "./announcer";
import { Composer } from "./composer";
import { takeDrops } from "./dropping";
import type { Effect } from "./fold";
import { Following } from "./following";
import { Header } from "./header";
import { FocusKeeper } from "./focus_keeper";
import type { Item } from "./item";
import type { Desk } from "./item_view";
import { Log } from "./log";
import { Notice } from "./notice";
import type { Panel, PanelListener } from "./panel";
import { Slices } from "./slices";

export class PanelView implements PanelListener {
  readonly root = element("div", "chatnb-panel chatnb-view");
  private readonly announcer = new Announcer();
  private readonly painter: CodePainter;
  private readonly header: Header;
  private readonly log: Log;
  private readonly latest = action("latest", "Jump to latest", () => this.jump(), "Jump to latest");
  private readonly notice: Notice;
  private readonly composer: Composer;
  private readonly following: Following;
  private readonly focus: FocusKeeper;
  private readonly slices = new Slices(() => this.following.go());
  private readonly leave: (() => void)[];
  private told: Item | undefined;
  private busy = false;

  constructor(private readonly panel: Panel) {
    this.painter = new CodePainter(() => panel.askForHighlighter());
    this.header = new Header(panel);
    this.log = new Log(this.desk());
    this.notice = new Notice(panel);
    this.composer = new Composer(panel, () => this.log.editLast());
    this.notice.onFocusLost = () => this.composer.focus();
    this.following = new Following(this.log.root, this.log.content, (follows) => this.turnLatest(follows));
    this.focus = new FocusKeeper(this.root);
    this.leave = [panel.listen(this), keepKeys(this.root, (event) => isPlain(event) || isWriting(event))];
    this.build();
    this.turn({ kind: "all" });
    this.told = panel.items.at(-1);
  }

  turn(effect: Effect): void {
    const { items, state } = this.panel;
    if (effect.kind === "grow") {
      this.log.grow(items[effect.index] as Item, effect.field, effect.text);
      return this.following.go();
    }
    this.showLog();
    if (effect.kind === "state" || effect.kind === "all") this.header.show();
    this.root.toggleAttribute("data-running", state.running);
    this.waits();
    this.announce(items.at(-1));
    this.following.go();
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
    this.following.dispose();
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
    takeDrops(this.root, (files) => this.composer.attach(files));
  }

  /** Stand in `place`, with the focus and the scrolling of the last one. */
  enter(place: HTMLElement): void {
    place.append(this.root);
    this.following.restore();
    this.focus.restore();
  }

  private desk(): Desk {
    return {
      panel: this.panel,
      painter: this.painter,
      slices: this.slices,
      announcer: this.announcer,
      toComposer: () => this.composer.focus(),
    };
  }

  private readonly press = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || event.isComposing || !this.panel.state.running) return;
    event.preventDefault();
    this.composer.stop();
  };

  private jump(): void {
    this.following.toEnd();
    this.composer.focus();
  }

  private turnLatest(follows: boolean): void {
    const hadFocus = document.activeElement === this.latest;
    this.latest.hidden = follows;
    if (hadFocus && follows) this.composer.focus();
  }

  /** Say how the last answer stands, when that has changed. */
  private announce(last: Item | undefined): void {
    const before = this.told;
    this.told = last;
    if (!last) return;
    if (last.role === "human" && before?.id !== last.id) this.following.toEnd();
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
