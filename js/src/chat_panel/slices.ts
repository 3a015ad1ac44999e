// Long work in short pieces, so that the page answers in between.

const BUDGET_MILLISECONDS = 8;

/** Does a bit of its work, and says whether there is more. */
export type Worker = () => boolean;

export class Slices {
  private readonly waiting = new Set<Worker>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** @param afterSlice - Called when something was done. */
  constructor(private readonly afterSlice: () => void) {}

  /** Call `worker` until it has no more to do. Who comes last is served first: it is read first. */
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
