// The line that says why a reply has no text, or no more: waiting, stopped or failed.
import { switchOff, wordButton } from "../../widgets/buttons";
import type { Item } from "../../generated/panel";
import { setLinkedText } from "../linked_text";
import { isEmpty, isSilent } from "../updates";
import { element, setText } from "../../widgets/html";

/** An error that is longer than this, without its addresses, is folded after its first sentence. */
const LONG_CHARACTERS = 200;

export class Ending {
  readonly root = element("div", "chatnb-panel-ending");
  private readonly words = element("span");
  private readonly details = element("details", "chatnb-panel-fold");
  private readonly all = element("div", "chatnb-panel-plain");
  private readonly again: HTMLButtonElement;
  private readonly clock = new WaitingClock((waiting) => setText(this.words, waiting));

  /** @param onAgain - Called when the reply is to be made again. */
  constructor(onAgain: () => void) {
    this.again = wordButton("Try again", "again", onAgain);
    this.details.append(element("summary", "", "Details"), this.all);
    this.root.append(this.words, this.again, this.details);
    this.root.hidden = true;
  }

  /** Show the status of a message, where its text does not. */
  show(item: Item, model: string, busy: boolean): void {
    const words = wordsFor(item);
    this.again.hidden = item.status !== "failed" && !(words && isEmpty(item));
    switchOff(this.again, busy);
    this.details.hidden = words.replace(/https?:\S+/g, "").length <= LONG_CHARACTERS;
    setLinkedText(this.all, this.details.hidden ? "" : words);
    setLinkedText(this.words, this.details.hidden ? words : beginningOf(words));
    this.root.hidden = !words;
    if (!isSilent(item)) return this.clock.stop();
    this.root.hidden = false;
    const name = model || "the model";
    if (item.note) this.clock.say(`${name}: ${item.note}`);
    else this.clock.start(`Waiting for ${name}`);
  }

  /** Something has come of the reply. */
  clear(): void {
    this.clock.stop();
    this.root.hidden = true;
  }

  dispose(): void {
    this.clock.stop();
  }
}

function wordsFor(item: Item): string {
  const { status, error, tool_calls } = item;
  if (status === "failed") return error ? `Failed: ${error}` : "Failed";
  const stopped = isEmpty(item) ? "Stopped before anything arrived" : "Stopped";
  if (status === "stopped") return error ? `${stopped}: ${error}` : stopped;
  if (status === "done" && isEmpty(item)) return "The reply is empty";
  const asks = tool_calls.some(({ state }) => state === "asking");
  return status === "waiting" && !asks ? "Waiting for your approval" : "";
}

function beginningOf(words: string): string {
  const sentence = /^.{20,}?[.!?](?=\s)/.exec(words.slice(0, LONG_CHARACTERS))?.[0];
  return sentence ?? `${words.slice(0, LONG_CHARACTERS)}…`;
}

/** Says for how long somebody waits, from the first second on. */
class WaitingClock {
  private timer: ReturnType<typeof setInterval> | undefined;
  private startedAt: number | null = null;

  constructor(private readonly show: (words: string) => void) {}

  start(words: string): void {
    clearInterval(this.timer);
    this.startedAt ??= performance.now();
    this.tick(words);
    this.timer = setInterval(() => this.tick(words), 1000);
  }

  /** Say something else, while the time goes on. */
  say(words: string): void {
    clearInterval(this.timer);
    this.startedAt ??= performance.now();
    this.show(words);
  }

  stop(): void {
    clearInterval(this.timer);
    this.startedAt = null;
  }

  private tick(words: string): void {
    const seconds = Math.round((performance.now() - (this.startedAt ?? 0)) / 1000);
    this.show(seconds ? `${words} · ${seconds} s` : `${words}…`);
  }
}
