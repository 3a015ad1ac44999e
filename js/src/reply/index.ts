// The view of a reply while it streams, as an anywidget.
import type { AnyWidget } from "@anywidget/types";
import type { ReplyTraits } from "./messages";
import { Reply } from "./reply";
import { showReply } from "./view";

// anywidget calls this once for each model. Only what is closed over here is common to the two
// functions: each of them is given a model object of its own.
const widget: AnyWidget<ReplyTraits> = () => {
  let reply: Reply | undefined;
  return {
    initialize({ model }) {
      const started = new Reply(model);
      reply = started;
      return () => started.dispose();
    },
    render({ model, el }) {
      reply ??= new Reply(model);
      return showReply(reply, el);
    },
  };
};

export default widget;
