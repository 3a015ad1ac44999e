// A message of one's own, being written anew. What was there stays, as another branch.
import { element } from "../view/elements";
import { wordButton } from "./action";
import { fit, isSending } from "./writing";

export class EditForm {
  readonly root = element("form", "chatnb-panel-edit");
  private readonly field = element("textarea", "chatnb-panel-field");

  constructor(
    text: string,
    private readonly onSend: (text: string) => void,
    private readonly onCancel: () => void,
  ) {
    const row = element("div", "chatnb-panel-row");
    const send = wordButton("Send", "save", () => this.send());
    send.dataset.primary = "";
    row.append(wordButton("Cancel", "cancel", onCancel), send);
    this.field.value = text;
    this.field.rows = 1;
    this.field.setAttribute("aria-label", "Edit your message");
    this.field.addEventListener("keydown", this.press);
    this.field.addEventListener("input", () => fit(this.field));
    this.root.addEventListener("submit", (event) => event.preventDefault());
    this.root.append(this.field, row);
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
