// The quiet line under a reply: who answers, for how long, and the way to stop it.
import { element } from "../view/elements";
import type { Phase } from "./messages";
import { isLive, type Reply } from "./reply";

const TICK_MILLISECONDS = 100;
const SVG = "http://www.w3.org/2000/svg";
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
    this.root.append(square(), this.label);
    this.root.addEventListener("click", () => {
      this.root.disabled = true;
      this.root.setAttribute("aria-label", "Stopping the reply");
      this.label.textContent = "Stopping…";
      onPress();
    });
  }
}

function square(): SVGElement {
  const icon = document.createElementNS(SVG, "svg");
  const shape = document.createElementNS(SVG, "rect");
  icon.setAttribute("class", "chatnb-icon");
  icon.setAttribute("viewBox", "0 0 10 10");
  icon.setAttribute("aria-hidden", "true");
  for (const [name, value] of Object.entries({ width: "10", height: "10", rx: "1.5" })) {
    shape.setAttribute(name, value);
  }
  icon.append(shape);
  return icon;
}
