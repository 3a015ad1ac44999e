// The details of one run: input, output, error and metadata, all inserted as text.
import type { Failure, Run } from "./run";
import { button, icon } from "./toolbar";
import type { Moment } from "./tree";
import type { Text } from "../generated/run_tree";
import { count, counted, duration } from "../widgets/formatting";
import { element, setText } from "../widgets/html";

/** More than this is cut for display, so that laying it out stays quick. */
const LONGEST = 20_000;

export class Details {
  readonly root = element("div", "chatnb-run-details");
  private readonly name = element("span", "chatnb-run-name");
  private readonly state = element("span", "chatnb-run-state");
  private readonly facts = element("span", "chatnb-run-facts");
  private readonly failure = new Passage("Error", "error");
  private readonly inputs = new Passage("Input");
  private readonly output = new Passage("Output");
  private readonly metadata = new Passage("Metadata");
  private status = "";

  constructor(onClose: () => void) {
    const head = element("div", "chatnb-run-details-head");
    head.append(this.state, this.name, this.facts, button("close", "Close the details", onClose));
    this.root.setAttribute("role", "region");
    this.root.append(head);
    for (const part of [this.failure, this.inputs, this.output, this.metadata]) {
      this.root.append(part.root);
    }
  }

  show(run: Run | null, moment: Moment): void {
    this.root.hidden = !run || run.since > moment.at;
    if (!run || this.root.hidden) return;
    const status = run.statusAt(moment.at);
    if (this.status !== status) this.state.replaceChildren(icon(status));
    this.root.dataset.status = this.status = status;
    this.root.setAttribute("aria-label", `Details of ${run.about.name}`);
    setText(this.name, run.about.name);
    setText(this.facts, factsOf(run, moment).join(" · "));
    this.failure.show(failureOf(run.failureAt(moment.at)));
    this.inputs.show(run.about.inputs);
    this.output.show(run.outputAt(moment.at));
    this.metadata.show(metadataOf(run));
  }
}

/** A heading and a text, which grows by what is new. */
class Passage {
  readonly root = element("section", "chatnb-run-passage");
  private readonly text = element("pre", "chatnb-passage chatnb-run-text");
  private readonly more = element("div", "chatnb-run-more");
  private shown = "";

  constructor(title: string, tone = "") {
    const heading = element("div", "chatnb-run-passage-title");
    heading.textContent = title;
    this.text.tabIndex = 0;
    this.text.setAttribute("role", "group");
    this.text.setAttribute("aria-label", title);
    this.root.dataset.tone = tone;
    this.root.append(heading, this.text, this.more);
    this.root.hidden = true;
  }

  show(value: Required<Text> | null): void {
    const text = value ? value.text.slice(0, LONGEST) : "";
    const more = value ? value.more + value.text.length - text.length : 0;
    this.root.hidden = !text;
    this.more.hidden = more === 0;
    setText(this.more, `${counted(more, "more character")} in the log`);
    if (text === this.shown) return;
    if (this.shown && text.startsWith(this.shown)) this.text.append(text.slice(this.shown.length));
    else this.text.replaceChildren(text);
    this.shown = text;
    // Thousands of small nodes would be slow to lay out.
    if (this.text.childNodes.length > 64) this.text.normalize();
  }
}

function factsOf(run: Run, moment: Moment): string[] {
  const status = run.statusAt(moment.at);
  const token = run.firstTokenAt(moment.at);
  const usage = run.usageAt(moment.at);
  const facts = [run.about.kind, status, duration((run.endAt(moment.at) ?? moment.now) - run.about.start)];
  if (token !== null) facts.push(`first token after ${duration(token - run.about.start)}`);
  if (usage) facts.push(`${count(usage.input)} tokens in, ${count(usage.output)} out`);
  return facts.filter(Boolean);
}

function failureOf(failure: Failure | null): Required<Text> | null {
  if (!failure) return null;
  const line = failure.message ? `${failure.type}: ${failure.message}` : failure.type;
  return { text: failure.traceback ? `${line}\n\n${failure.traceback}` : line, more: 0 };
}

function metadataOf(run: Run): Required<Text> {
  const { id, tags, metadata } = run.about;
  const lines = [`id: ${id}`, ...(tags.length ? [`tags: ${tags.join(", ")}`] : [])];
  if (metadata?.text) lines.push(metadata.text);
  return { text: lines.join("\n"), more: metadata?.more ?? 0 };
}
