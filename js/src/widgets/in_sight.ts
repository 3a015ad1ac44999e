// Keeping the end of a view, with its buttons, in sight: the notebook scrolls by just what is missing.
import { ReaderScrolling } from "./reader_scrolling";

const MARGIN_PIXELS = 12;

export class KeepInSight {
  /** Whether the end was in sight, as far as the reader did not scroll it away. */
  private wanted = false;
  private hasBeenOut = false;
  private lastTop = 0;
  private scroller: HTMLElement | null = null;
  private reader: ReaderScrolling | null = null;
  private frame = 0;
  private readonly observer = new ResizeObserver(() => this.later());

  /**
   * @param follows - Whether the end may be followed now.
   * @param begins - When it is: as soon as it is in sight, or once the reader has scrolled to it.
   */
  constructor(
    private readonly root: HTMLElement,
    private readonly follows: () => boolean,
    private readonly begins: "in sight" | "scrolled to",
  ) {
    this.observer.observe(root);
    // Scroll events do not bubble.
    addEventListener("scroll", this.look, { capture: true, passive: true });
  }

  /** The reader has sent or decided something here. */
  want(): void {
    this.wanted = true;
    this.reader?.rest();
    this.later();
  }

  /** The element that scrolls, while the end is followed in it, also of a view that is out of the page. */
  get followedIn(): HTMLElement | null {
    return this.wanted && !this.isElsewhere() ? this.scroller : null;
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
    removeEventListener("scroll", this.look, true);
    this.reader?.dispose();
  }

  private readonly later = (): void => {
    this.frame ||= requestAnimationFrame(this.show);
  };

  private readonly show = (): void => {
    this.frame = 0;
    const scroller = this.find();
    if (!scroller || !this.follows() || this.isElsewhere()) return;
    const missing = missingBelow(this.root, scroller);
    if (!this.wanted) this.hasBeenOut ||= missing > MARGIN_PIXELS;
    else if (missing > 0) scroller.scrollTop += Math.ceil(missing);
  };

  // Scrolling that is not the reader's, as a redraw's, changes nothing about what is wanted.
  private readonly look = ({ target }: Event): void => {
    const isOurs = target === this.scroller || (target === document && this.scroller === document.scrollingElement);
    if (!this.scroller || !isOurs || !this.root.isConnected) return;
    const isInSight = missingBelow(this.root, this.scroller) <= MARGIN_PIXELS;
    const isUp = this.scroller.scrollTop < this.lastTop - 0.5;
    this.lastTop = this.scroller.scrollTop;
    if (isInSight && this.begins === "in sight") this.wanted = true;
    else if (!this.reader?.isScrolling()) return;
    // Who scrolls down has not left the end that has grown meanwhile.
    else if (this.wanted && !isUp) return;
    else this.wanted = isInSight && (this.wanted || this.begins === "in sight" || this.hasBeenOut);
  };

  /** Whether the reader writes in another cell, which must stay where it is. */
  private isElsewhere(): boolean {
    const editor = document.activeElement?.closest(".cm-editor, .jp-Cell-inputArea");
    return Boolean(editor) && !this.root.contains(editor ?? null);
  }

  private find(): HTMLElement | null {
    if (this.scroller?.isConnected && this.scroller.contains(this.root)) return this.scroller;
    this.scroller = scrollerAround(this.root);
    this.lastTop = this.scroller?.scrollTop ?? 0;
    this.reader?.dispose();
    this.reader = this.scroller && new ReaderScrolling(this.scroller);
    return this.scroller;
  }
}

/** How far the end of `node`, with room below it, is under the lower edge of what is seen. */
export function missingBelow(node: Element, scroller: Element): number {
  const edge = Math.min(scroller.getBoundingClientRect().bottom, innerHeight);
  return node.getBoundingClientRect().bottom + MARGIN_PIXELS - edge;
}

/** The element around `node` that scrolls up and down and is higher than what is seen of it. */
function scrollerAround(node: Element): HTMLElement | null {
  for (let at = node.parentElement; at; at = at.parentElement) {
    const scrolls = /auto|scroll/.test(getComputedStyle(at).overflowY);
    if (scrolls && at.matches(":not(.jp-OutputArea, .jp-OutputArea *)")) return at;
  }
  return document.scrollingElement instanceof HTMLElement ? document.scrollingElement : null;
}
