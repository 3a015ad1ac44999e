// The quiet line under a reply: who answers, for how long, and the way to stop it.
import { drawing } from "../view/drawing";
import { element } from "../view/elements";
import type { Phase } from "./messages";
import { isLive, type Reply } from "./reply";

const TICK_MILLISECONDS = 100;
const SQUARE = "M2 0 H10 A2 2 0 0 1 12 2 V10 A2 2 0 0 1 10 12 H2 A2 2 0 0 1 0 10 V2 A2 2 0 0 1 2 0 Z";
const OUTCOMES: Partial<Record<Phase, string>> = { stopped: "Stopped", failed: "Broke off" };

export class QuietLine {
  readonly root = element("div", "chatnb-line");
  private readonly status = element("span", "chatnb-status");
  private readonly clock = element("span", "chatnb-clock");
  private readonly button = new StopButton(() => void this.reply.stop());
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly reply: Reply) {
    this.status.setAttribute("role", "status");
    this.clock.setAttribute("role", "timer");
    if (reply.stopsAll) this.button.stopsAll();
    this.root.append(this.status, this.clock, this.button.root);
  }

  turn(phase: Phase): void {
    this.status.textContent = statusOf(phase, this.reply.modelName);
    this.button.root.hidden = phase !== "waiting" && phase !== "streaming";
    this.tick();
    clearInterval(this.timer);
    if (isLive(phase)) this.timer = setInterval(this.tick, TICK_MILLISECONDS);
  }

  dispose(): void {
    clearInterval(this.timer);
    this.root.remove();
  }

  private readonly tick = (): void => {
    this.clock.textContent = ` · ${this.reply.seconds.toFixed(1)} s`;
  };
}

function statusOf(phase: Phase, modelName: string): string {
  const name = modelName || "the model";
  if (phase === "waiting") return `Waiting for ${name}…`;
  if (phase === "stopping") return `Stopping ${name}…`;
  const outcome = OUTCOMES[phase];
  return outcome ? `${outcome} · ${name}` : name;
}

class StopButton {
  readonly root = element("button", "chatnb-stop");
  private readonly label = element("span");

  constructor(onPress: () => void) {
    this.root.type = "button";
    this.root.setAttribute("aria-label", "Stop the reply");
    this.label.textContent = "Stop";
    this.root.append(drawing(SQUARE, "chatnb-icon"), this.label);
    this.root.addEventListener("click", () => {
      this.root.disabled = true;
      this.root.setAttribute("aria-label", "Stopping the reply");
      this.label.textContent = "Stopping…";
      onPress();
    });
  }

  /** Say that it stops the replies beside this one, too. */
  stopsAll(): void {
    this.root.setAttribute("aria-label", "Stop all replies");
    this.label.textContent = "Stop all";
  }
}
