// Whether the kernel answers. Silence says nothing of why: it may be dead, or busy with a cell.

const SECONDS = 5;

export class Patience {
  /** Whether an answer has been waited for in vain. */
  silent = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** @param onTurn - Called when silence begins or ends. */
  constructor(private readonly onTurn: () => void) {}

  /** From now on an answer is due. */
  wait(): void {
    this.timer ??= setTimeout(() => this.turn(true), SECONDS * 1000);
  }

  /** The kernel cannot even be told. */
  giveUp(): void {
    this.turn(true);
  }

  /** Something came. */
  hear(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.turn(false);
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  private turn(silent: boolean): void {
    this.timer = undefined;
    if (this.silent === silent) return;
    this.silent = silent;
    this.onTurn();
  }
}
