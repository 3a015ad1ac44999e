// Whether the page goes along with an answer: only while its reader is at the end.

const NEAR_PIXELS = 24;

export class Following {
  private follows = true;
  private last = 0;
  private frame = 0;
  // What comes into sight may be higher than it was taken for: this hears of it before it is seen.
  private readonly observer = new ResizeObserver(() => this.jump());

  /** @param onTurn - Told whether the end is followed from now on. */
  constructor(
    private readonly scroller: HTMLElement,
    content: HTMLElement,
    private readonly onTurn: (follows: boolean) => void,
  ) {
    scroller.addEventListener("scroll", this.look, { passive: true });
    this.observer.observe(scroller);
    this.observer.observe(content);
  }

  /** Something grew: go along, once a frame. */
  readonly go = (): void => {
    if (this.follows) this.frame ||= requestAnimationFrame(this.jump);
  };

  /** Scroll to where it was: an element that is taken away and put back is at its top. */
  restore(): void {
    if (this.follows) this.go();
    else this.scroller.scrollTop = this.last;
  }

  /** Go to the end, and along with it from now on. */
  toEnd(): void {
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
    if (this.follows) this.scroller.scrollTop = this.scroller.scrollHeight;
  };

  /** Text that comes makes the end go away; only one who scrolls up leaves it. */
  private readonly look = (): void => {
    if (!this.scroller.isConnected) return;
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_PIXELS;
    if (isAtEnd) this.turn(true);
    else if (scrollTop < this.last - 1) this.turn(false);
    this.last = scrollTop;
  };

  private turn(follows: boolean): void {
    if (this.follows === follows) return;
    this.follows = follows;
    this.onTurn(follows);
  }
}
