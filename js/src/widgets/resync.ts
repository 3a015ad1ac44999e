// Requests for what a browser has missed.

const DEADLINE_MILLISECONDS = 4000;
const LONGEST_MILLISECONDS = 120_000;

/** Requests what is missing until it has come: a server may drop messages, a kernel may be busy. */
export class Resync {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private deadline = DEADLINE_MILLISECONDS;

  /** `send` returns false if the kernel cannot be reached. */
  constructor(private readonly send: () => boolean | void) {}

  /** Request what is missing, unless an answer is due. */
  request(): void {
    if (this.timer === undefined && this.send() !== false) this.expect();
  }

  /** A part of the answer has come, or is due: if nothing comes by the deadline, it is lost. */
  expect(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.deadline = Math.min(2 * this.deadline, LONGEST_MILLISECONDS);
      this.timer = undefined;
      this.request();
    }, this.deadline);
  }

  /** The answer is whole, or none is wanted. */
  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.deadline = DEADLINE_MILLISECONDS;
  }
}
