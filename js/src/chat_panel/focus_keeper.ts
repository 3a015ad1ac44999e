// The focus of a view that is taken away and put back: a notebook draws an output anew when it is
// updated.

export class FocusKeeper {
  private held: HTMLElement | null = null;

  constructor(private readonly root: HTMLElement) {
    root.addEventListener("focusin", (event) => {
      if (event.target instanceof HTMLElement) this.held = event.target;
    });
    root.addEventListener("focusout", () => setTimeout(this.look));
  }

  /** Give the focus back, unless something else has it by now. */
  restore(): void {
    if (this.held && document.activeElement === document.body) this.held.focus({ preventScroll: true });
  }

  /** An element that is taken away does not give its focus up. */
  private readonly look = (): void => {
    if (this.root.isConnected && !this.root.contains(document.activeElement)) this.held = null;
  };
}
