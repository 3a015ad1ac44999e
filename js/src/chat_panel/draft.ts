// What was written and not sent yet. Its text survives a reload of the page, as long as the tab
// lives; a conversation has one, whichever kernel or cell shows it.

import { type Attachment, drop } from "./attachment";

const PREFIX = "chatnb-draft:";

export class Draft {
  text = "";
  files: Attachment[] = [];
  private key: string | null = null;

  get isEmpty(): boolean {
    return !this.text.trim() && this.files.length === 0;
  }

  /** Say whose draft it is; what was written then comes back, unless something is written now. */
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
