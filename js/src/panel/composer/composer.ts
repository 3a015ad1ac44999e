// The field for the next message, with attachments, Send and Stop.
import {
  attach,
  attachedFile,
  type Attachment,
  bytes,
  drop,
  limitsIn,
  objectionTo,
} from "./attachments";
import { action, icon, switchOff } from "../../widgets/buttons";
import type { PanelController } from "../controller";
import type { Announcer } from "../notices";
import { StatusLine } from "./status_line";
import { type Choice, ChoiceList, choicesFor } from "./suggestions";
import { fit, isSending, NOT_YET } from "../messages/user_message";
import { isSilent } from "../updates";
import type { Variable } from "../../generated/panel";
import { element, setText } from "../../widgets/html";

export class Composer {
  readonly root = element("div", "chatnb-panel-composer");
  /** The problem with the attachments, or nothing. */
  objection = "";
  private readonly field = element("textarea", "chatnb-panel-input");
  private readonly picker = element("input");
  private readonly attaching = action("attach", "Attach files", () => this.picker.click());
  private readonly sending = action("send", "Send", () => this.press(), "Send");
  readonly statusLine = new StatusLine();
  private readonly hint = element("span", "chatnb-panel-hint");
  /** Whether someone has tried to send this draft while a reply streamed. */
  private triedToSend = false;
  /** The variables that were offered last. */
  private listed: readonly Variable[] | null = null;
  private sendsOnceKnown = false;
  private readonly choices = new ChoiceList(this.field, (choice) => this.take(choice));
  private readonly variables = element("div", "chatnb-panel-files");
  private readonly files: AttachmentList;
  private stops: boolean | null = null;

  /** @param onArrowUp - Called when someone asks for their last message. */
  constructor(
    private readonly panel: PanelController,
    private readonly announcer: Announcer,
    private readonly onArrowUp: () => void,
  ) {
    const row = element("div", "chatnb-panel-row");
    this.files = new AttachmentList(panel, () => this.focus());
    this.field.rows = 1;
    this.field.setAttribute("aria-label", "Message");
    this.field.addEventListener("input", this.write);
    this.field.addEventListener("keydown", this.type);
    this.field.addEventListener("paste", this.paste);
    this.field.addEventListener("blur", () => this.choices.show([]));
    this.picker.type = "file";
    this.picker.multiple = true;
    this.picker.hidden = true;
    this.picker.addEventListener("change", this.pick);
    this.sending.classList.add("chatnb-panel-send");
    this.variables.setAttribute("role", "group");
    this.variables.setAttribute("aria-label", "Variables");
    row.append(this.attaching, this.picker, this.hint, this.statusLine.root, this.sending);
    this.root.append(this.choices.root, this.files.root, this.variables, this.field, row);
  }

  focus(): void {
    this.field.focus({ preventScroll: true });
  }

  show(): void {
    const { draft, outbox, state, isBusy } = this.panel;
    if (this.field.value !== draft.text) this.field.value = draft.text;
    this.field.readOnly = outbox.isWaiting;
    this.files.show();
    this.showVariables();
    this.turn(state.running);
    this.statusLine.turn(state.running, isSilent(this.panel.items.at(-1)));
    this.showHint();
    this.field.placeholder = state.model ? `Message ${state.model} (Enter sends)` : "Message (Enter sends)";
    switchOff(this.sending, !state.running && (draft.isEmpty || isBusy));
    const limits = limitsIn(state.limits);
    this.attaching.hidden = !limits;
    this.attaching.title = `Attach files: ${limits}`;
    fit(this.field);
  }

  /** Write a text in place of the draft, or send it at once. */
  begin(text: string, send: boolean): void {
    if (this.panel.isBusy) return;
    this.panel.draft.write(text);
    this.sendsOnceKnown = send;
    this.panel.changed();
    this.focus();
  }

  /** Attach files from wherever they come. */
  attach(files: Iterable<File>): void {
    this.objection = this.files.add(files);
    this.panel.changed();
    this.focus();
  }

  stop(): void {
    this.panel.stop();
  }

  private turn(stops: boolean): void {
    if (this.stops === stops) return;
    this.stops = stops;
    const label = stops ? "Stop" : "Send";
    this.sending.title = stops ? "Stop (Esc)" : "Send (Enter)";
    this.sending.setAttribute("aria-label", label);
    this.sending.dataset.act = stops ? "stop" : "send";
    this.sending.replaceChildren(icon(stops ? "stop" : "send"), label);
  }

  private press(): void {
    if (this.panel.state.running) return this.stop();
    this.send();
    this.focus();
  }

  /** Say why Enter has not sent the draft, as long as that is so. */
  private showHint(): void {
    this.triedToSend &&= this.panel.state.running && !this.panel.draft.isEmpty;
    setText(this.hint, this.triedToSend ? NOT_YET : "");
  }

  private send(): void {
    const { draft, state } = this.panel;
    this.triedToSend = state.running && !draft.isEmpty;
    this.showHint();
    if (this.triedToSend) return this.announcer.say(NOT_YET);
    this.objection = "";
    void this.panel.outbox.send();
  }

  private readonly write = (): void => {
    this.panel.draft.write(this.field.value);
    if (this.textBefore.endsWith("{")) this.panel.send({ type: "list_variables" });
    this.panel.changed();
    this.choose();
  };

  private get textBefore(): string {
    return this.field.value.slice(0, this.field.selectionStart);
  }

  /** Show what can be chosen where the cursor is. */
  private choose(): void {
    const after = this.field.value.slice(this.field.selectionStart);
    const isActive = document.activeElement === this.field;
    const { state } = this.panel;
    const variables = this.panel.variables ?? [];
    this.choices.show(isActive ? choicesFor(this.textBefore, after, variables, state.suggestions) : []);
  }

  private take({ text, cursor }: Choice): void {
    this.panel.draft.write(text);
    this.panel.changed();
    this.field.setSelectionRange(cursor, cursor);
  }

  /** Show which variables go along, once they are known. */
  private showVariables(): void {
    const { draft, variables } = this.panel;
    const names = /\{\w+\}/.test(draft.text);
    if (names && !variables) this.panel.askForVariables();
    const chips = this.panel.mentioned().map((variable) => this.chipOf(variable));
    this.variables.hidden = chips.length === 0;
    this.variables.replaceChildren(...chips);
    if (this.listed !== variables) this.choose();
    this.listed = variables;
    if (!this.sendsOnceKnown || (names && !variables)) return;
    this.sendsOnceKnown = false;
    this.send();
  }

  private chipOf({ name, summary }: Variable): HTMLElement {
    const label = element("span", "chatnb-panel-file-name", name);
    const leave = action("close", `Leave {${name}} as text`, () => {
      this.panel.draft.left.add(name);
      this.panel.changed();
      this.focus();
    });
    const size = element("span", "chatnb-panel-quiet", `· ${summary}`);
    return element("span", "chatnb-panel-file", label, size, leave);
  }

  private readonly type = (event: KeyboardEvent): void => {
    if (!event.isComposing && !event.shiftKey && this.choices.press(event)) {
      event.preventDefault();
      event.stopPropagation();
    } else if (isSending(event)) {
      event.preventDefault();
      this.send();
    } else if (event.key === "ArrowUp" && !this.field.value && !event.isComposing) {
      event.preventDefault();
      this.onArrowUp();
    }
  };

  private readonly paste = (event: ClipboardEvent): void => {
    const { clipboardData } = event;
    // A table copied from a spreadsheet is a picture, too: its text is what is meant.
    if (!clipboardData?.files.length || clipboardData.getData("text/plain")) return;
    event.preventDefault();
    this.attach(clipboardData.files);
  };

  private readonly pick = (): void => {
    this.attach(this.picker.files ?? []);
    this.picker.value = "";
  };
}

export class AttachmentList {
  readonly root = element("div", "chatnb-panel-files");
  private shown: readonly Attachment[] = [];

  /** @param onTaken - Called when one was taken back, and the focus needs a place. */
  constructor(
    private readonly panel: PanelController,
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
    const { attachments_bytes: limit } = this.panel.state.limits;
    const total = files.reduce((sum, { file }) => sum + file.size, 0);
    return element("span", "chatnb-panel-quiet", limit ? `${bytes(total)} of ${bytes(limit)}` : "");
  }
}

/** Hand files that are dropped onto `root` to `onFiles`. */
export function takeDrops(root: HTMLElement, onFiles: (files: Iterable<File>) => void): void {
  const over = (event: DragEvent): void => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    event.dataTransfer.dropEffect = "copy";
    root.toggleAttribute("data-dropping", true);
  };
  const leave = (event: DragEvent): void => {
    const { relatedTarget } = event;
    if (!(relatedTarget instanceof Node && root.contains(relatedTarget))) root.removeAttribute("data-dropping");
  };
  root.addEventListener("dragenter", over);
  root.addEventListener("dragover", over);
  root.addEventListener("dragleave", leave);
  root.addEventListener("drop", (event) => {
    root.removeAttribute("data-dropping");
    const files = event.dataTransfer?.files;
    if (!files?.length) return;
    event.preventDefault();
    event.stopPropagation();
    onFiles(files);
  });
}
