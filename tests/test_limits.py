"""Limits that users meet: the last value within is taken whole, and one more is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from chatnb import Conversation, RunLog, ScriptedChatModel
from chatnb.chat_models.registry import Availability
from chatnb.chat_models.wire.error_responses import error_response
from chatnb.chat_models.wire.payloads import to_count
from chatnb.errors import ToolRoundsError
from chatnb.json_schemas import schema_from_type
from chatnb.notebook.attachments import item_attachments
from chatnb.notebook.cell.failed_cell import describe_value
from chatnb.notebook.panel.requests import parse_request
from chatnb.notebook.panel.transcript import panel_mimebundle
from chatnb.notebook.panel.variables import list_variables
from chatnb.notebook.run_tree.static import run_tree_mimebundle
from chatnb.notebook.tables.conversations import conversations_mimebundle
from chatnb.notebook.tables.providers import ProviderTable
from chatnb.notebook.usage_table.static import usage_mimebundle
from chatnb.notebook.values import as_text
from chatnb.notebook.widgets.footer import reasoning_fold
from chatnb.notebook.widgets.tool_calls import ItemToolCall, call_fold, call_line, call_text
from chatnb.prompts import PromptTemplate
from chatnb.redaction import redact
from chatnb.runnables import RunnableLambda
from chatnb.runnables.batches.batch import BatchOptions
from chatnb.schema import AIMessage, HumanMessage, ToolMessage, file_part, image_part
from chatnb.schema.content.markdown import parts_paragraphs
from chatnb.schema.content.reply_parts import reply_parts
from chatnb.schema.model_call import ModelCall, prompt_line
from chatnb.store import Node, Store
from chatnb.store.nodes import Summary
from chatnb.strict_json import parse_json
from chatnb.tools import run_tools, tool
from tests.support.run_logs import LogWriter

END = "Z"
CALL: Any = {"name": "say", "args": {}, "id": "c", "type": "tool_call"}


def text(length: int) -> str:
    """Return a text that ends with a letter of its own."""
    return "a" * (length - 1) + END


def taken(work: Callable[[], object]) -> bool:
    """Return whether work is done, and not refused."""
    try:
        return work() is not None
    except (ValueError, RecursionError, ToolRoundsError):
        return False


def requested(**request: Any) -> bool:
    return taken(lambda: parse_request(request))


def attached(count: int) -> bool:
    files = [{"name": "a", "mime": "text/plain"}] * count
    return taken(
        lambda: parse_request({"type": "send", "text": "Hi", "attachments": files}, [b""] * count)
    )


def table(rows: int, columns: int) -> str:
    return as_text(pd.DataFrame([[1] * columns] * rows, columns=[f"c{n}" for n in range(columns)]))


def run_log(runs: int, output: str = "x") -> str:
    writer = LogWriter("chain")
    for number in range(runs - 1):
        writer.end(writer.start(f"run-{number}-", "tool"), output)
    writer.finish("x")
    return str(run_tree_mimebundle(RunLog(*writer.patches)).get("text/html"))


def transcript(length: int) -> str:
    said = text(length - len("**Model**\n\n"))
    node = Node(1, "a", None, AIMessage(said), "done", 0.0, {})
    return str(panel_mimebundle([node]).get("text/markdown"))


def conversations(count: int) -> str:
    summaries = [Summary(f"talk-{n}-", "", 1, 0.0, 0.0, "Hi", {}) for n in range(count)]
    return str(conversations_mimebundle(summaries, None, None).get("text/plain"))


def tool_result(length: int) -> str:
    @tool
    def say() -> str:
        """Say it."""
        return text(length)

    model = ScriptedChatModel([AIMessage("", tool_calls=[CALL]), "Done."])
    messages = run_tools(model, [say], "Hi")
    return next(message.text for message in messages if isinstance(message, ToolMessage))


def rounds(count: int) -> object:
    @tool
    def say() -> str:
        """Say it."""
        return "said"

    ids: list[Any] = [{**CALL, "id": str(number)} for number in range(count)]
    calls = [AIMessage("", tool_calls=[call]) for call in ids]
    return run_tools(ScriptedChatModel([*calls, "Done."]), [say], "Hi")


def sources(count: int, length: int = 1) -> str:
    """Return what is below a reply that cites pages with titles of a length."""
    cited = [
        {"type": "citation", "url": f"https://a.example/{number}", "title": text(length)}
        for number in range(count)
    ]
    reply = AIMessage([{"type": "text", "text": "Hi", "annotations": cited}])
    return "".join(parts_paragraphs(reply_parts(reply)))


def call(arguments: str = "{}", result: str = "") -> ItemToolCall:
    return ItemToolCall(id="c", name="say", arguments=arguments, state="done", result=result)


def shown_image(size: int) -> bool:
    """Return whether a panel shows an image of a size, and not only its name."""
    image = image_part(b"\x89PNG\r\n\x1a\n" + b" " * (size - 8))
    return "data" in item_attachments(HumanMessage([image]), {})[0]


def providers(count: int) -> str:
    running = Availability("ollama", "ollama:a", usable=True)
    return repr(ProviderTable([running], {"ollama": [text(n + 1) for n in range(count)]}))


def returned(count: int) -> object:
    """Run a function that returns a runnable, which returns another, and so on."""
    steps = iter(range(count, -1, -1))
    step: RunnableLambda[Any, Any] = RunnableLambda(lambda _: step if next(steps) else "done")
    return step.invoke(None)


def template(written: str, template_format: Any) -> object:
    return PromptTemplate(written, template_format=template_format).format(a=[1])


LIMITS: dict[str, tuple[int, Callable[[int], bool]]] = {
    "characters of a conversation's name": (
        200,
        lambda n: taken(lambda: Conversation(text(n), store=Store(":memory:"))),
    ),
    "levels of JSON in a file": (320, lambda n: taken(lambda: parse_json("[" * n + "]" * n))),
    "characters of a panel's message": (2_000_000, lambda n: requested(type="send", text=text(n))),
    "files of a panel's message": (50, attached),
    "characters of a message's id in a panel": (
        200,
        lambda n: requested(type="delete", id=text(n)),
    ),
    "temperature of a panel": (
        2,
        lambda n: requested(type="change_settings", settings={"temperature": n}),
    ),
    "bytes of a file for a model": (
        20 * 2**20,
        lambda n: taken(lambda: file_part(b"%PDF-" + b" " * (n - 5))),
    ),
    "rows of a table in a prompt": (30, lambda n: "first" not in table(n, 1)),
    "columns of a table in a prompt": (20, lambda n: "first" not in table(1, n)),
    "characters of a table's cell in a prompt": (
        80,
        lambda n: END in as_text(pd.DataFrame({"a": [text(n)]})),
    ),
    "columns that %chat explain sends": (
        30,
        lambda n: (
            f"'c{n - 1}'" in describe_value(pd.DataFrame([], columns=[f"c{i}" for i in range(n)]))
        ),
    ),
    "characters of a column that %chat explain sends": (
        40,
        lambda n: END in describe_value(pd.DataFrame({text(n): []})),
    ),
    "rows of a saved usage table": (
        100,
        lambda n: "more calls" not in str(usage_mimebundle([ModelCall("m", "p")] * n)),
    ),
    "rows of a list of conversations": (50, lambda n: f"talk-{n - 1}-" in conversations(n)),
    "rows of a saved run tree": (200, lambda n: f"run-{n - 2}-" in run_log(n)),
    "characters of an output in a saved run tree": (
        2_000,
        lambda n: END in run_log(2, text(n)),
    ),
    "characters of a message and its role in a saved panel": (
        100_000,
        lambda n: END in transcript(n),
    ),
    "characters of a prompt in a usage table": (
        500,
        lambda n: END in prompt_line([HumanMessage(text(n))]),
    ),
    "requests of a loop of tools": (10, lambda n: taken(lambda: rounds(n - 1))),
    "characters of a tool's result": (20_000, lambda n: END in tool_result(n)),
    "calls of a batch at a time": (64, lambda n: BatchOptions().workers(n) == n),
    "characters of a schema's name": (
        64,
        lambda n: END in schema_from_type({"title": text(n), "type": "object"}).name,
    ),
    "a count of tokens": (2**53 - 1, lambda n: to_count(n) == n),
    "seconds that are waited as a provider says": (
        600,
        lambda n: (
            "longer than" not in str(error_response(429, {}, headers={"retry-after": str(n)}))
        ),
    ),
    "sources below a reply": (50, lambda n: "more" not in sources(n)),
    "characters of a source's title": (200, lambda n: END in sources(1, n)),
    "characters of a call's arguments in its line": (300, lambda n: END in call_line("a", text(n))),
    "characters of a call's result in its line": (
        80,
        lambda n: END in call_text(call("", text(n))),
    ),
    "characters of a result in a saved reply": (
        20_000,
        lambda n: "more characters" not in call_fold(call("", text(n))),
    ),
    "characters of reasoning in a saved reply": (
        20_000,
        lambda n: "more characters" not in reasoning_fold(text(n)),
    ),
    "bytes of an image that a panel shows": (199_998, shown_image),
    "models in the row of a provider": (5, lambda n: "more" not in providers(n)),
    "variables that a panel lists": (
        200,
        lambda n: len(list_variables(dict.fromkeys(map(str, range(n))))["variables"]) == n,
    ),
    "runnables that a function returns in turn": (25, lambda n: taken(lambda: returned(n))),
    "levels of sections in a mustache template": (
        100,
        lambda n: taken(lambda: template("{{#a}}" * n + "{{/a}}" * n, "mustache")),
    ),
    "characters that a jinja template repeats": (
        1_000_000,
        lambda n: taken(lambda: template(f"{{{{ 'a' * {n} }}}}", "jinja2")),
    ),
    "numbers that a jinja template raises to a power": (
        10_000,
        lambda n: taken(lambda: template(f"{{{{ {n} ** 2 }}}}", "jinja2")),
    ),
    "characters of an error that is no message of an API": (
        300,
        lambda n: END in str(error_response(500, text(n))),
    ),
    "characters of what is too short for a secret": (
        6,
        lambda n: text(n) in redact(text(n), {text(n)}),
    ),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_is_where_it_is(limit: str) -> None:
    """A limit that moves is told by a test, and by the changelog."""
    value, is_within = LIMITS[limit]
    assert is_within(value)
    assert not is_within(value + 1)
