// The reader's scrolling, apart from that of the browser and of the page.

/** Wheels and fingers scroll on for a while. */
const MOMENTUM_MILLISECONDS = 500;
const SCROLL_KEYS = ["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", " ", "Tab"];

/** Tells the reader's scrolling from the browser's: by wheel, finger, key, or a pressed pointer. */
export class ReaderScrolling {
  private actedAt = -Infinity;
  private holdsBar = false;
  private readonly leave = new AbortController();

  constructor(scroller: HTMLElement) {
    const { signal } = this.leave;
    const act = (): void => {
      this.actedAt = performance.now();
    };
    scroller.addEventListener("wheel", act, { passive: true, signal });
    scroller.addEventListener("touchmove", act, { passive: true, signal });
    const press = ({ key }: KeyboardEvent): void => {
      if (SCROLL_KEYS.includes(key)) act();
    };
    scroller.addEventListener("keydown", press, { signal });
    const drag = ({ buttons }: PointerEvent): void => {
      if (buttons) act(); // Selecting text beyond the edge scrolls.
    };
    scroller.addEventListener("pointermove", drag, { signal });
    const hold = ({ target }: PointerEvent): void => {
      this.holdsBar = target === scroller;
      if (this.holdsBar) addEventListener("pointerup", () => (this.holdsBar = false), { once: true, signal });
    };
    scroller.addEventListener("pointerdown", hold, { signal });
  }

  dispose(): void {
    this.leave.abort();
  }

  /** The reader wants something else now. */
  rest(): void {
    this.actedAt = -Infinity;
  }

  /** Whether a scroll that is seen now is the reader's; one that is seems to go on. */
  isScrolling(): boolean {
    const isReader = this.holdsBar || performance.now() - this.actedAt < MOMENTUM_MILLISECONDS;
    if (isReader) this.actedAt = performance.now();
    return isReader;
  }
}
