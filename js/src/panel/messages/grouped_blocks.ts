// The blocks of a long reply in groups. The browser lays out and watches a few groups; each block by
// itself would cost it something in every frame, though it be far out of sight.
import { type BlockListener, PagePart } from "../../markdown/page";
import { element } from "../../widgets/html";

/** So many blocks are laid out together; those of most replies are fewer. */
const GROUP_BLOCKS = 32;
/** Blocks without a margin above them: no margins meet between two groups, which would keep both. */
const BEGINS_GROUP = "p, .chatnb-panel-code, table";

export class GroupedBlocks extends PagePart {
  private group: Element;

  constructor(
    private readonly root: Element,
    listener: BlockListener,
  ) {
    super(root, listener);
    this.group = root;
  }

  protected override append(parent: Element, places: readonly ChildNode[]): void {
    super.append(parent === this.root ? this.groupFor(places[0]) : parent, places);
  }

  private groupFor(first: ChildNode | undefined): Element {
    const isFull = this.group.childElementCount >= GROUP_BLOCKS;
    if (isFull && first instanceof Element && first.matches(BEGINS_GROUP)) {
      this.group = element("div", "chatnb-panel-blocks");
      this.root.append(this.group);
    }
    return this.group;
  }
}
