// Keeping the status line of a long reply in sight. An output is a scroll container of its own in
// JupyterLab, so that `position: sticky` has nothing to stick to there.

const MARGIN_PIXELS = 8;

/** Moves `line`, which ends the text of `root`, up to the visible edge while it would be below it. */
export class StickToEdge {
  private frame = 0;
  private moved = 0;
  // Observers are called when the page is laid out, so that measuring costs no layout of its own.
  private readonly observer = new ResizeObserver(() => this.place());

  constructor(
    private readonly line: HTMLElement,
    private readonly root: HTMLElement,
  ) {}

  /** Stick from now on, or no more. */
  turn(sticks: boolean): void {
    this.observer.disconnect();
    removeEventListener("scroll", this.later, true);
    removeEventListener("resize", this.later);
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (!sticks) return this.move(0);
    this.observer.observe(this.root);
    // Scroll events do not bubble.
    addEventListener("scroll", this.later, { capture: true, passive: true });
    addEventListener("resize", this.later);
  }

  private readonly later = (): void => {
    this.frame ||= requestAnimationFrame(this.place);
  };

  private readonly place = (): void => {
    this.frame = 0;
    if (!this.root.isConnected) return;
    const { top } = this.root.getBoundingClientRect();
    const bottom = this.line.getBoundingClientRect().bottom + this.moved;
    const height = this.line.offsetHeight;
    // It stays below the first line of the reply, which may be all that is in sight.
    const hidden = bottom - visibleEdge(this.root);
    this.move(hidden > 1 ? Math.max(0, Math.min(hidden + MARGIN_PIXELS, bottom - top - 2 * height)) : 0);
  };

  private move(pixels: number): void {
    this.moved = Math.round(pixels);
    this.line.style.transform = pixels ? `translateY(${-this.moved}px)` : "";
    this.line.toggleAttribute("data-stuck", pixels > 0);
  }
}

/** The lower edge of what can be seen of `node`, cut off by the window and everything around it. */
function visibleEdge(node: Element): number {
  let edge = innerHeight;
  for (let at = node.parentElement; at; at = at.parentElement) {
    const cuts = at.clientHeight > 0 && getComputedStyle(at).overflowY !== "visible";
    if (cuts) edge = Math.min(edge, at.getBoundingClientRect().bottom);
  }
  return edge;
}
