// The files that will go along with the message being written, each with the way to take it back.
import { element } from "../view/elements";
import { action } from "./action";
import { attachedFile } from "./attached";
import { attach, type Attachment, bytes, drop, objectionTo } from "./attachment";
import type { Panel } from "./panel";

export class FileList {
  readonly root = element("div", "chatnb-panel-files");
  private shown: readonly Attachment[] = [];

  /** @param onTaken - Called when one was taken back, and the focus needs a place. */
  constructor(
    private readonly panel: Panel,
    private readonly onTaken: () => void,
  ) {
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", "Attachments");
  }

  /** Attach what may be attached; say why the rest may not. */
  add(files: Iterable<File>): string {
    const { draft, state } = this.panel;
    const objections: string[] = [];
    for (const file of files) {
      const objection = objectionTo(file, draft.files, state.limits);
      if (objection) objections.push(objection);
      else draft.files = [...draft.files, attach(file, state.limits)];
    }
    this.panel.changed();
    return objections.join(" ");
  }

  show(): void {
    const { files } = this.panel.draft;
    if (files === this.shown) return;
    this.shown = files;
    this.root.hidden = files.length === 0;
    this.root.replaceChildren(...files.map((each) => this.chip(each)), this.sum(files));
  }

  private chip(attachment: Attachment): HTMLElement {
    const { name, size } = attachment.file;
    const made = attachedFile({ name, size, picture: attachment.picture });
    made.append(action("close", `Remove ${name}`, () => this.take(attachment)));
    return made;
  }

  private take(attachment: Attachment): void {
    drop(attachment);
    this.panel.draft.files = this.panel.draft.files.filter((each) => each !== attachment);
    this.panel.changed();
    this.onTaken();
  }

  private sum(files: readonly Attachment[]): HTMLElement {
    const made = element("span", "chatnb-panel-quiet");
    const { all } = this.panel.state.limits;
    const total = files.reduce((sum, { file }) => sum + file.size, 0);
    made.textContent = all ? `${bytes(total)} of ${bytes(all)}` : "";
    return made;
  }
}
