// The user's messages with their files and edit form, and the folded system prompt.
import { attachedFile, pictureUrl } from "../composer/attachments";
import { action, wordButton } from "../../widgets/buttons";
import { newNonce } from "../composer/draft";
import { MessageFooter } from "./message_footer";
import type { MessageContext, ItemView } from "./message_log";
import type { ItemAttachment, Item } from "../../generated/panel";
import { element, setText } from "../../widgets/html";

/** The answer to Enter while a reply streams. */
export const NOT_YET = "Enter sends once the reply has ended";

export class UserMessage implements ItemView {
  readonly root = element("article", "chatnb-panel-item");
  private readonly body = element("div", "chatnb-panel-question");
  private readonly text = element("div", "chatnb-panel-plain");
  private readonly files = element("div", "chatnb-panel-files");
  private readonly editor = action("edit", "Edit", () => this.edit());
  private readonly footer: MessageFooter;
  private form: EditForm | null = null;
  private item: Item | null = null;
  private attachments: readonly ItemAttachment[] | null = null;

  constructor(private readonly context: MessageContext) {
    this.footer = new MessageFooter(context, this.editor);
    this.root.dataset.role = "human";
    this.root.setAttribute("aria-label", "You");
    const said = element("div", "chatnb-panel-said");
    said.append(this.text, this.files);
    this.body.append(this.footer.root, said);
    this.root.append(this.body);
  }

  show(item: Item, busy: boolean): void {
    this.item = item;
    setText(this.text, item.text);
    this.text.hidden = !item.text;
    this.showFiles(item.attachments);
    this.footer.show(item, busy);
    if (!busy) this.form?.object("");
  }

  grow(_field: string, text: string): void {
    this.text.append(text);
  }

  dispose(): void {
    this.root.remove();
  }

  /** Edit the message, unless a reply is streaming. */
  edit(): void {
    if (!this.item || this.context.panel.isBusy) return;
    this.form ??= this.newForm(this.item);
    this.root.dataset.editing = "";
    this.form.focus();
  }

  private newForm({ id, text }: Item): EditForm {
    const nonce = newNonce();
    const send = (written: string): void => {
      if (this.context.panel.isBusy) return this.object(NOT_YET);
      // The form stays until the new branch is there, so that nothing is lost.
      this.context.panel.send({ type: "edit", id, text: written, nonce });
    };
    const made = new EditForm(text, send, () => this.close());
    this.root.append(made.root);
    return made;
  }

  private object(words: string): void {
    this.form?.object(words);
    this.context.announcer.say(words);
  }

  private close(): void {
    this.form?.root.remove();
    this.form = null;
    delete this.root.dataset.editing;
    this.editor.focus();
  }

  private showFiles(attachments: readonly ItemAttachment[]): void {
    if (this.attachments === attachments) return;
    this.attachments = attachments;
    this.files.hidden = attachments.length === 0;
    this.files.replaceChildren(...attachments.map((file) => attachedFile({ ...file, picture: pictureUrl(file) })));
  }
}

export class EditForm {
  readonly root = element("form", "chatnb-panel-edit");
  private readonly field = element("textarea", "chatnb-panel-field");
  private readonly hint = element("span", "chatnb-panel-hint");

  constructor(
    text: string,
    private readonly onSend: (text: string) => void,
    private readonly onCancel: () => void,
  ) {
    const row = element("div", "chatnb-panel-row");
    const send = wordButton("Send", "save", () => this.send());
    send.dataset.primary = "";
    row.append(this.hint, wordButton("Cancel", "cancel", onCancel), send);
    this.field.value = text;
    this.field.rows = 1;
    this.field.setAttribute("aria-label", "Edit your message");
    this.field.addEventListener("keydown", this.press);
    this.field.addEventListener("input", () => fit(this.field));
    this.root.addEventListener("submit", (event) => event.preventDefault());
    this.root.append(this.field, row);
  }

  /** Say why the text was not sent, or that nothing is in the way. */
  object(words: string): void {
    setText(this.hint, words);
  }

  focus(): void {
    fit(this.field);
    this.field.focus();
    this.field.setSelectionRange(this.field.value.length, this.field.value.length);
  }

  private readonly press = (event: KeyboardEvent): void => {
    if (event.key === "Escape") {
      event.stopPropagation();
      this.onCancel();
    }
    if (!isSending(event)) return;
    event.preventDefault();
    this.send();
  };

  private send(): void {
    if (this.field.value.trim()) this.onSend(this.field.value);
  }
}

/** Return whether a key sends the text. While a word is composed, Enter only picks it. */
export function isSending(event: KeyboardEvent): boolean {
  const composes = event.isComposing || event.keyCode === 229;
  return event.key === "Enter" && !event.shiftKey && !composes;
}

/** Make a field as high as its text; its style sheet says how high that may be. */
export function fit(field: HTMLTextAreaElement): void {
  if (CSS.supports("field-sizing", "content")) return;
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
}

export class SystemMessage implements ItemView {
  readonly root = element("article", "chatnb-panel-item");
  private readonly fold = element("details", "chatnb-panel-fold");
  private readonly summary = element("summary");
  private readonly text = element("div", "chatnb-panel-plain");

  constructor() {
    this.fold.append(this.summary, this.text);
    this.root.append(this.fold);
  }

  show({ role, text }: Item): void {
    const name = role === "system" ? "System prompt" : "Tool";
    this.root.dataset.role = role;
    this.root.setAttribute("aria-label", name);
    this.summary.textContent = name;
    this.text.textContent = text;
  }

  grow(): void {}

  dispose(): void {
    this.root.remove();
  }
}
