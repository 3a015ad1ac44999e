// The view of a usage table, as an anywidget.
import type { AnyWidget } from "@anywidget/types";
import { mount } from "../view/mounting";
import { readString } from "../view/reading";
import type { UsageTraits } from "./messages";
import { UsageTable } from "./usage_table";
import { showUsageTable } from "./view";

// anywidget calls this once for each model, and each of the two functions with a model object of
// its own.
const widget: AnyWidget<UsageTraits> = () => {
  let table: UsageTable | undefined;
  return {
    initialize({ model }) {
      const started = new UsageTable(model);
      table = started;
      const unmount = mount((el) => showUsageTable(started, el), readString(model.get("place")));
      return () => {
        unmount();
        started.dispose();
      };
    },
    render({ model, el }) {
      table ??= new UsageTable(model);
      return showUsageTable(table, el);
    },
  };
};

export default widget;
