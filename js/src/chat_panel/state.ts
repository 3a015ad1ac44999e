// What the kernel tells of the panel as a whole, and the reading of it.
import { isRecord, readNumber, readString } from "../view/reading";
import { readList } from "./item";

/** What may be attached. */
export interface Limits {
  /** The most bytes of one attachment, and of all of a message. */
  each: number;
  all: number;
  /** Types, and families of types such as "text/*". */
  types: readonly string[];
}

export interface PanelState {
  running: boolean;
  error: string | null;
  model: string;
  models: readonly string[];
  temperature: number | null;
  system: string;
  /** A quiet line: turns, tokens, cost. */
  usage: string;
  limits: Limits;
  /** The name of the conversation. */
  name: string;
}

export const NO_STATE = readState({});

export function readState(value: unknown): PanelState {
  const fields = isRecord(value) ? value : {};
  return {
    running: fields.running === true,
    error: readString(fields.error) || null,
    model: readString(fields.model),
    models: readList(fields.models, readWord),
    temperature: readNumber(fields.temperature),
    system: readString(fields.system),
    usage: readString(fields.usage),
    limits: readLimits(fields.limits),
    name: readString(fields.name),
  };
}

function readLimits(value: unknown): Limits {
  const fields = isRecord(value) ? value : {};
  return {
    each: readNumber(fields.attachment_bytes) ?? 0,
    all: readNumber(fields.attachments_bytes) ?? 0,
    types: readList(fields.types, readWord),
  };
}

function readWord(value: unknown): string | null {
  return readString(value) || null;
}
