// The message that is being written, and the one that was sent and has not arrived yet.
import { type Attachment, drop } from "./attachments";
import type { PanelController } from "../controller";
import type { Update } from "../../generated/panel";

const PREFIX = "chatnb-draft:";

export class Draft {
  text = "";
  files: Attachment[] = [];
  /** The names of variables that the text mentions and that do not go along. */
  readonly left = new Set<string>();
  private key: string | null = null;

  get isEmpty(): boolean {
    return !this.text.trim() && this.files.length === 0;
  }

  /** Set the conversation; its saved draft is restored, unless something is written now. */
  open(conversation: string): void {
    const key = PREFIX + conversation;
    if (this.key === key) return;
    this.key = key;
    if (this.text) this.keep();
    else this.text = read(key);
  }

  write(text: string): void {
    this.text = text;
    this.keep();
  }

  clear(): void {
    this.files.forEach(drop);
    this.files = [];
    this.left.clear();
    this.write("");
  }

  private keep(): void {
    if (this.key === null) return;
    try {
      if (this.text) sessionStorage.setItem(this.key, this.text);
      else sessionStorage.removeItem(this.key);
    } catch {
      // Storage may be full or forbidden; the text is still in the field.
    }
  }
}

function read(key: string): string {
  try {
    return sessionStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

interface Sent {
  text: string;
  files: readonly Attachment[];
  /** Identifies a message that is sent a second time. */
  nonce: string;
  /** The messages that were there before. */
  before: ReadonlySet<string>;
}

export class Outbox {
  /** The reason why the draft was not sent, if it lies here. */
  reason = "";
  private sent: Sent | null = null;

  constructor(private readonly panel: PanelController) {}

  /** Whether a message was sent and the kernel still answers. */
  get isWaiting(): boolean {
    return this.sent !== null && !this.panel.watchdog.silent;
  }

  /** Whether a message was sent that has not arrived. */
  get isUnanswered(): boolean {
    return this.sent !== null;
  }

  /** Send the draft. */
  async send(): Promise<void> {
    if (this.panel.draft.isEmpty || this.panel.isBusy) return;
    this.sent = this.seal();
    this.reason = "";
    this.panel.watchdog.received();
    this.panel.changed();
    const { text, files, nonce } = this.sent;
    try {
      const buffers = await Promise.all(files.map(({ file }) => file.arrayBuffer()));
      const attachments = files.map(({ file, mime }) => ({ name: file.name, mime }));
      this.panel.send({ type: "send", text, attachments, nonce, variables: this.panel.mentioned().map(({ name }) => name) }, buffers);
    } catch {
      // A file that has been moved or changed since it was attached cannot be read any more.
      this.refuse("A file can no longer be read. Remove it, or attach it again.");
    }
  }

  /** Clear the draft once it has arrived; keep it if it was rejected. */
  onUpdate(event: Update): void {
    if (!this.sent) return;
    if (!hasArrived(this.panel, this.sent)) {
      if (event.type === "state_changed" && event.state.error) this.refuse();
      return;
    }
    const { draft } = this.panel;
    if (isSame(this.sent, draft)) draft.clear();
    this.sent = null;
    this.panel.changed();
  }

  /** An unchanged draft that is sent again is the same message. */
  private seal(): Sent {
    const { draft } = this.panel;
    if (this.sent && isSame(this.sent, draft)) return this.sent;
    const before = new Set(this.panel.items.map(({ id }) => id));
    return { text: draft.text, files: [...draft.files], nonce: newNonce(), before };
  }

  private refuse(reason = ""): void {
    this.sent = null;
    this.reason = reason;
    this.panel.changed();
  }
}

/** Return a random id. */
export function newNonce(): string {
  // crypto.randomUUID is there on secure pages only.
  return [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("");
}

function hasArrived({ items }: PanelController, { text, before }: Sent): boolean {
  const isIt = (item: PanelController["items"][number]): boolean =>
    item.role === "human" && !before.has(item.id) && item.text.trim() === text.trim();
  return items.some(isIt);
}

function isSame(sent: Sent, draft: Pick<Sent, "text" | "files">): boolean {
  const { files } = draft;
  const sameFiles = files.length === sent.files.length && files.every((file, place) => file === sent.files[place]);
  return sent.text === draft.text && sameFiles;
}
