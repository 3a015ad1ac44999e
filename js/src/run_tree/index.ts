// The view of a run log, as an anywidget.
import type { AnyWidget } from "@anywidget/types";
import { mount } from "../view/mounting";
import { readString } from "../view/reading";
import type { RunTreeTraits } from "./messages";
import { RunTree } from "./run_tree";
import { showRunTree } from "./view";

// anywidget calls this once for each model, and each of the two functions with a model object of
// its own.
const widget: AnyWidget<RunTreeTraits> = () => {
  let tree: RunTree | undefined;
  return {
    initialize({ model }) {
      const started = new RunTree(model);
      tree = started;
      const unmount = mount((el) => showRunTree(started, el), readString(model.get("place")));
      return () => {
        unmount();
        started.dispose();
      };
    },
    render({ model, el }) {
      tree ??= new RunTree(model);
      return showRunTree(tree, el);
    },
  };
};

export default widget;
