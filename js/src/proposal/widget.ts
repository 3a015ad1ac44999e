// The buttons of a proposed change of a cell. The page changes its cells itself, so that the change
// can be undone as any other; the kernel only hears of it, and tells it in the static form. Once it
// is gone, the page does that as well.
import type { AnyModel } from "@anywidget/types";
import { type CellModel, codeCells, type Found, findOutput, type NotebookContext, notebookOf } from "../cell_outputs/notebook";
import type { Decide, Decision, ProposalViewTraits } from "../generated/proposal";
import { defineWidget, isRecord, readString } from "../widgets/base";
import { switchOff, wordButton } from "../widgets/buttons";
import { element } from "../widgets/html";
import { keepKeys } from "../widgets/keyboard";
import { toolbar } from "../widgets/toolbar";

const WORDS: Readonly<Record<Decision, string>> = {
  accepted: "The cell has the new code.",
  inserted: "The cell is not what it was: the new code is in a cell below.",
  rejected: "Rejected.",
};
const NOWHERE = "No cell can be changed here: copy the lines with +.";

class Proposal {
  private readonly context: NotebookContext | null;
  private decision: Decision | null = null;

  constructor(private readonly model: AnyModel<ProposalViewTraits>) {
    this.context = notebookOf(model as AnyModel);
  }

  /** There is nothing to let go of. */
  dispose(): void {}

  /** Do what a button says, unless one has been pressed in another view; null if it cannot be done. */
  decide(accepts: boolean): Decision | null {
    if (this.decision) return this.decision;
    this.decision = accepts ? this.accept() : "rejected";
    if (this.decision) this.tell(this.decision);
    return this.decision;
  }

  private tell(decision: Decision): void {
    try {
      this.model.send({ type: "decide", decision } satisfies Decide);
    } catch {
      // The kernel is gone.
      const [found, decided] = [this.output(), this.model.get("decided")];
      const data = isRecord(decided) ? decided[decision] : null;
      if (found && isRecord(data)) found.outputs.set(found.index, { output_type: "display_data", metadata: {}, data });
    }
  }

  private accept(): Decision | null {
    const { context } = this;
    if (!context) return null;
    const source = this.model.get("new_source");
    const cell = this.cell(context);
    if (cell) {
      cell.sharedModel.setSource(source);
      return "accepted";
    }
    const { cells, sharedModel } = context.model;
    sharedModel.insertCell(this.place(context) ?? cells.length, { cell_type: "code", source, metadata: {} });
    return "inserted";
  }

  /** The cell that ran, if its source is still the same and no other cell could be meant. */
  private cell(context: NotebookContext): CellModel | null {
    const source = unified(this.model.get("old_source"));
    const cells = [...codeCells(context)];
    // Another proposal may have changed it: then a cell with the old source is another one.
    const ran = cells.filter(({ sharedModel }) => sharedModel.execution_count === this.model.get("number"));
    const [cell, other] = (ran.length ? ran : cells).filter(
      ({ sharedModel }) => unified(sharedModel.getSource()) === source,
    );
    return cell && !other ? cell : null;
  }

  /** The output with the proposal. */
  private output(): Found | null {
    const name = readString((this.model as AnyModel).get("mount_point"));
    const { context } = this;
    return context && findOutput(context, ({ data }) => [data?.["text/html"]].flat().join("").includes(name));
  }

  /** The index below the cell with the proposal. */
  private place(context: NotebookContext): number | null {
    const found = this.output();
    const { cells } = context.model;
    for (let index = 0; found && index < cells.length; index += 1) {
      if (cells.get(index) === found.cell) return index + 1;
    }
    return null;
  }
}

/** A source with one kind of line end, and none behind the last line. */
function unified(source: string): string {
  return source.replace(/\r\n?/g, "\n").replace(/\n+$/, "");
}

function showProposal(proposal: Proposal, el: HTMLElement): () => void {
  const said = element("span", "chatnb-proposal-said");
  said.setAttribute("role", "status");
  const decide = (accepts: boolean): void => {
    const decision = proposal.decide(accepts);
    said.textContent = decision ? WORDS[decision] : NOWHERE;
    for (const made of buttons) switchOff(made, decision !== null);
  };
  const accept = wordButton("Accept", "accept", () => decide(true));
  const buttons = [accept, wordButton("Reject", "reject", () => decide(false))];
  accept.dataset.primary = "";
  const root = toolbar(element("div", "chatnb-view chatnb-proposal", ...buttons, said), "Proposed change");
  const letKeys = keepKeys(root);
  el.append(root);
  return () => {
    letKeys();
    root.remove();
  };
}

export default defineWidget((model: AnyModel<ProposalViewTraits>) => new Proposal(model), showProposal);
