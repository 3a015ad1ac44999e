// A message of one's own: plain text, its files, and the way to write it anew.
import { element } from "../view/elements";
import { action } from "./action";
import { attachedFile } from "./attached";
import { EditForm } from "./edit_form";
import { Foot } from "./foot";
import type { Attached, Item } from "./item";
import type { Desk, ItemView } from "./item_view";
import { newNonce } from "./outbox";

export class Question implements ItemView {
  readonly root = element("article", "chatnb-panel-item");
  private readonly body = element("div", "chatnb-panel-question");
  private readonly text = element("div", "chatnb-panel-plain");
  private readonly files = element("div", "chatnb-panel-files");
  private readonly editor = action("edit", "Edit", () => this.edit());
  private readonly foot: Foot;
  private form: EditForm | null = null;
  private item: Item | null = null;
  private attachments: readonly Attached[] | null = null;

  constructor(private readonly desk: Desk) {
    this.foot = new Foot(desk, this.editor);
    this.root.dataset.role = "human";
    this.root.setAttribute("aria-label", "You");
    const said = element("div", "chatnb-panel-said");
    said.append(this.text, this.files);
    this.body.append(said, this.foot.root);
    this.root.append(this.body);
  }

  show(item: Item, busy: boolean): void {
    this.item = item;
    if (this.text.textContent !== item.text) this.text.textContent = item.text;
    this.text.hidden = !item.text;
    this.showFiles(item.attachments);
    this.foot.show(item, busy);
  }

  grow(_field: string, text: string): void {
    this.text.append(text);
  }

  dispose(): void {
    this.root.remove();
  }

  /** Write the message anew, unless an answer is being given. */
  edit(): void {
    if (!this.item || this.desk.panel.isBusy) return;
    this.form ??= this.newForm(this.item);
    this.root.dataset.editing = "";
    this.form.focus();
  }

  private newForm({ id, text }: Item): EditForm {
    const nonce = newNonce();
    const send = (written: string): void => {
      if (this.desk.panel.isBusy) return;
      // The form stays until the new branch is there, so that nothing is lost.
      this.desk.panel.send({ kind: "edit", id, text: written, nonce });
    };
    const made = new EditForm(text, send, () => this.close());
    this.root.append(made.root);
    return made;
  }

  private close(): void {
    this.form?.root.remove();
    this.form = null;
    delete this.root.dataset.editing;
    this.editor.focus();
  }

  private showFiles(attachments: readonly Attached[]): void {
    if (this.attachments === attachments) return;
    this.attachments = attachments;
    this.files.hidden = attachments.length === 0;
    this.files.replaceChildren(...attachments.map(attachedFile));
  }
}
