// The widget of a reply, or of several beside each other, while they stream.
import type { AnyModel } from "@anywidget/types";
import type { ComparisonViewTraits, ReplyViewTraits } from "../generated/cell";
import { defineWidget } from "../widgets/base";
import { Comparison, showComparison } from "./comparison_widget";
import { Reply, type ReplyModel } from "./reply";
import { showReply } from "./reply_widget";

type Model = AnyModel<ReplyViewTraits> | AnyModel<ComparisonViewTraits>;

function isComparison(model: Model): model is AnyModel<ComparisonViewTraits> {
  return Array.isArray((model as AnyModel).get("columns"));
}

// One module, as both are made of the same code.
export default defineWidget<any, Reply | Comparison>(
  (model: Model) => (isComparison(model) ? new Comparison(model) : new Reply(model as ReplyModel)),
  (state, el) => (state instanceof Comparison ? showComparison(state, el) : showReply(state, el)),
);
