// The line below a reply: who answers, for how long and how fast, with a Stop button; then how it
// ended.
import { counted } from "../widgets/formatting";
import { drawing, element, setText } from "../widgets/html";
import { easeHeight } from "./eased_height";
import { isLive, type Phase, type Reply } from "./reply";

const TICK_MILLISECONDS = 100;
const SQUARE = "M2 0 H10 A2 2 0 0 1 12 2 V10 A2 2 0 0 1 10 12 H2 A2 2 0 0 1 0 10 V2 A2 2 0 0 1 2 0 Z";
const OUTCOMES: Partial<Record<Phase, string>> = {
  stopped: "Stopped",
  failed: "Broke off",
  gone: "Broke off: the kernel is gone. %chat resume goes on",
};
const OUTCOMES_WITHOUT_REPLY: Partial<Record<Phase, string>> = {
  stopped: "Stopped before anything arrived",
  failed: "Nothing arrived",
  gone: "Nothing arrived: the kernel is gone. Run the cell again",
};

export class StatusLine {
  readonly root = element("div", "chatnb-line");
  private readonly status = element("span", "chatnb-status");
  private readonly clock = element("span", "chatnb-clock");
  private readonly button = new StopButton(() => void this.reply.stop());
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly reply: Reply) {
    this.status.setAttribute("role", "status");
    this.clock.setAttribute("role", "timer");
    if (reply.isColumn) this.button.stopsAll();
    this.root.append(element("span", "chatnb-told", this.status, this.clock), this.button.root);
  }

  turn(phase: Phase): void {
    const { offsetHeight } = this.root;
    this.status.textContent = (!isLive(phase) && this.reply.footer) || statusOf(phase, this.reply);
    const isRunning = phase === "waiting" || phase === "streaming";
    this.button.root.hidden = !isRunning || !this.reply.canStop;
    this.tick();
    if (offsetHeight) easeHeight(this.root, offsetHeight);
    clearInterval(this.timer);
    if (isLive(phase)) this.timer = setInterval(this.tick, TICK_MILLISECONDS);
  }

  dispose(): void {
    clearInterval(this.timer);
    this.root.remove();
  }

  private readonly tick = (): void => {
    setText(this.clock, clockOf(this.reply));
  };
}

/** The time of a reply, and its speed as far as a page can tell it. */
function clockOf({ phase, seconds, speed, footer, note }: Reply): string {
  if (note) return "";
  if (!isLive(phase)) return footer ? "" : ` · ${seconds.toFixed(1)} s`;
  const time = seconds >= 1 ? ` · ${Math.floor(seconds)} s` : "";
  return speed === null ? time : ` · ${counted(speed, "token")}/s${time}`;
}

function statusOf(phase: Phase, { modelName, note, text, reasoning }: Reply): string {
  const name = modelName || "the model";
  if (note) return `${name}: ${note}`;
  if (phase === "waiting") return `Waiting for ${name}…`;
  if (phase === "stopping") return `Stopping ${name}…`;
  const outcome = (text || reasoning ? OUTCOMES : OUTCOMES_WITHOUT_REPLY)[phase];
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
