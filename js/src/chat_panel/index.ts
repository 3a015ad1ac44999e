// The view of a conversation, as an anywidget.
import type { AnyWidget } from "@anywidget/types";
import { mount } from "../view/mounting";
import { readString } from "../view/reading";
import type { PanelTraits } from "./messages";
import { Panel } from "./panel";
import { Views } from "./views";

// anywidget calls this once for each model, and each of the two functions with a model object of
// its own.
const widget: AnyWidget<PanelTraits> = () => {
  let views: Views | undefined;
  return {
    initialize({ model }) {
      const panel = new Panel(model);
      const shown = new Views(panel);
      let unmount = (): void => {};
      views = shown;
      // Until everything is known the static transcript says more.
      panel.whenHeard(() => {
        unmount = mount((el) => shown.show(el), readString(model.get("place")));
      });
      return () => {
        unmount();
        shown.dispose();
        panel.dispose();
      };
    },
    render({ model, el }) {
      views ??= new Views(new Panel(model));
      return views.show(el);
    },
  };
};

export default widget;
