// What every message's view is, and what it is given to work with.
import type { CodePainter } from "../markdown/highlighting";
import type { Announcer } from "./announcer";
import { Answer } from "./answer";
import { Aside } from "./aside";
import type { Item } from "./item";
import type { Growing } from "./messages";
import type { Panel } from "./panel";
import { Question } from "./question";
import type { Slices } from "./slices";

export interface ItemView {
  readonly root: HTMLElement;
  /** Show the message as it is now. */
  show(item: Item, busy: boolean): void;
  /** A field of it grew. */
  grow(field: Growing, text: string): void;
  dispose(): void;
}

export interface Desk {
  panel: Panel;
  painter: CodePainter;
  slices: Slices;
  announcer: Announcer;
  /** Give the focus to where the next message is written. */
  toComposer(): void;
}

export function viewOf(item: Item, desk: Desk): ItemView {
  if (item.role === "human") return new Question(desk);
  return item.role === "ai" ? new Answer(desk) : new Aside();
}
