// The views of a panel. One whose place goes is kept, and stands in the next place that comes.
import type { Panel } from "./panel";
import { PanelView } from "./view";

export class Views {
  private readonly all = new Set<PanelView>();
  private readonly spare: PanelView[] = [];

  constructor(private readonly panel: Panel) {}

  /** Show the panel in `place`; call the result to take it away. */
  show(place: HTMLElement): () => void {
    const view = this.spare.pop() ?? new PanelView(this.panel);
    this.all.add(view);
    view.enter(place);
    return () => {
      view.root.remove();
      this.spare.push(view);
    };
  }

  dispose(): void {
    for (const view of this.all) view.dispose();
    this.all.clear();
    this.spare.length = 0;
  }
}
