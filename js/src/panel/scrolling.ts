// Auto-scrolling until the reader scrolls up, and long work in short slices.
import { ReaderScrolling } from "../widgets/reader_scrolling";

const NEAR_PIXELS = 24;

export class AutoScroll {
  private follows = true;
  private isAtEnd = true;
  private last = 0;
  private frame = 0;
  private readonly reader: ReaderScrolling;
  // Content that scrolls into view may be higher than estimated; the observer runs before painting.
  private readonly observer = new ResizeObserver(() => {
    if (this.isAtEnd) this.jump();
  });

  /** @param onTurn - Told whether the end is followed from now on. */
  constructor(
    private readonly scroller: HTMLElement,
    content: HTMLElement,
    private readonly onTurn: (follows: boolean) => void,
  ) {
    this.reader = new ReaderScrolling(scroller);
    scroller.addEventListener("scroll", this.look, { passive: true });
    this.observer.observe(scroller);
    this.observer.observe(content);
  }

  /** Something grew: go along, once a frame. */
  readonly go = (): void => {
    if (this.follows) this.frame ||= requestAnimationFrame(this.jump);
  };

  /** Whether the end is followed. */
  get isFollowing(): boolean {
    return this.follows;
  }

  /** Scroll to where it was: an element that is taken away and put back is at its top. */
  restore(): void {
    if (this.follows) this.go();
    else this.scroller.scrollTop = this.last;
  }

  /** Go to the end, and along with it from now on. */
  toEnd(): void {
    this.reader.rest();
    this.turn(true);
    this.jump();
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
  }

  private readonly jump = (): void => {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (!this.follows) return;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.isAtEnd = true;
  };

  // Browsers scroll by themselves, too: when the log is drawn again, or a word is found in it. That
  // does not end the following, and is not undone before more text comes.
  private readonly look = (): void => {
    if (!this.scroller.isConnected) return;
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_PIXELS;
    if (this.isAtEnd) this.turn(true);
    else if (scrollTop < this.last - 1 && this.reader.isScrolling()) this.turn(false);
    this.last = scrollTop;
  };

  private turn(follows: boolean): void {
    if (this.follows === follows) return;
    this.follows = follows;
    this.onTurn(follows);
  }
}

const BUDGET_MILLISECONDS = 8;

/** Does a bit of its work, and says whether there is more. */
export type Worker = () => boolean;

export class SliceQueue {
  private readonly waiting = new Set<Worker>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** @param afterSlice - Called when something was done. */
  constructor(private readonly afterSlice: () => void) {}

  /** Call `worker` until it has no more to do. The last one comes first: it is read first. */
  add(worker: Worker): void {
    this.waiting.add(worker);
    this.timer ??= setTimeout(this.work);
  }

  remove(worker: Worker): void {
    this.waiting.delete(worker);
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.waiting.clear();
  }

  private readonly work = (): void => {
    const end = performance.now() + BUDGET_MILLISECONDS;
    this.timer = undefined;
    while (this.waiting.size > 0 && performance.now() < end) {
      const worker = [...this.waiting].at(-1) as Worker;
      if (!worker()) this.waiting.delete(worker);
    }
    this.afterSlice();
    if (this.waiting.size > 0) this.timer = setTimeout(this.work);
  };
}
