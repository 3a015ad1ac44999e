// The status line of the composer: time and speed of a reply that streams, never read out.
import { counted } from "../../widgets/formatting";
import { element, setText } from "../../widgets/html";
import { TokenRate } from "../../replies/token_rate";

const TICK_MILLISECONDS = 1000;

export class StatusLine {
  readonly root = element("span", "chatnb-panel-status");
  private timer: ReturnType<typeof setInterval> | undefined;
  private startedAt = 0;
  private isSilent = false;
  private rate = new TokenRate();

  constructor() {
    this.root.setAttribute("aria-hidden", "true");
  }

  /** A turn is running now, or none; one that `isSilent` shows its time in the log. */
  turn(running: boolean, isSilent: boolean): void {
    this.isSilent = isSilent;
    if (isSilent) setText(this.root, "");
    if (running === (this.timer !== undefined)) return;
    clearInterval(this.timer);
    this.timer = running ? setInterval(this.tick, TICK_MILLISECONDS) : undefined;
    this.startedAt = performance.now();
    this.rate = new TokenRate();
    setText(this.root, "");
  }

  /** So much more of the reply has come. */
  add(characters: number): void {
    this.rate.add(characters);
    this.isSilent = false;
  }

  dispose(): void {
    this.turn(false, false);
  }

  private readonly tick = (): void => {
    if (this.isSilent) return;
    const speed = this.rate.perSecond ?? 0;
    const seconds = `${Math.round((performance.now() - this.startedAt) / 1000)} s`;
    setText(this.root, speed >= 1 ? `${counted(Math.round(speed), "token")}/s · ${seconds}` : seconds);
  };
}
