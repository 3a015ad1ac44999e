// What was sent and has not arrived yet: nothing that was written is let go of before that.
import type { Attachment } from "./attachment";
import type { PanelEvent } from "./messages";
import type { Panel } from "./panel";

interface Sent {
  text: string;
  files: readonly Attachment[];
  /** By which the kernel knows a message that comes a second time. */
  nonce: string;
  /** The messages that were there before. */
  before: ReadonlySet<string>;
}

export class Outbox {
  /** Why the draft was not sent, if the reason lies here. */
  reason = "";
  private sent: Sent | null = null;

  constructor(private readonly panel: Panel) {}

  /** Whether a message is on its way, as far as one can tell. */
  get isWaiting(): boolean {
    return this.sent !== null && !this.panel.patience.silent;
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
    this.panel.patience.hear();
    this.panel.changed();
    const { text, files, nonce } = this.sent;
    try {
      const buffers = await Promise.all(files.map(({ file }) => file.arrayBuffer()));
      const attachments = files.map(({ file, mime }) => ({ name: file.name, mime, size: file.size }));
      this.panel.send({ kind: "send", text, attachments, nonce }, buffers);
    } catch {
      // A file that has been moved or changed since it was attached cannot be read any more.
      this.refuse("A file can no longer be read. Remove it, or attach it again.");
    }
  }

  /** Let go of the draft once it has arrived, and keep it where it was refused. */
  heard(event: PanelEvent): void {
    if (!this.sent) return;
    if (event.kind === "state" && event.state.error) return this.refuse();
    if (!hasArrived(this.panel, this.sent)) return;
    const { draft } = this.panel;
    if (isSame(this.sent, draft)) draft.clear();
    this.sent = null;
    this.panel.changed();
  }

  /** What is sent once more without a change is the same message. */
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

/** A mark that no other message bears. */
export function newNonce(): string {
  // crypto.randomUUID is there on secure pages only.
  return [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("");
}

function hasArrived({ items }: Panel, { text, before }: Sent): boolean {
  const isIt = (item: Panel["items"][number]): boolean =>
    item.role === "human" && !before.has(item.id) && item.text.trim() === text.trim();
  return items.some(isIt);
}

function isSame(sent: Sent, draft: Pick<Sent, "text" | "files">): boolean {
  const { files } = draft;
  const sameFiles = files.length === sent.files.length && files.every((file, place) => file === sent.files[place]);
  return sent.text === draft.text && sameFiles;
}
