"""Tools as people write them for LangChain."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from langchain_core import tools as langchain
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from chatnb import tools as chatnb
from chatnb.chat_models import ChatAnthropic, ChatOpenAI, ScriptedChatModel
from chatnb.errors import ToolArgumentsError
from chatnb.schema import AIMessage, ToolMessage

CALL = {"name": "shout", "args": {"text": "a"}, "id": "c1", "type": "tool_call"}


def shout(text: str) -> str:
    """Say it loudly."""
    return text.upper()


def whisper(text: str) -> str:
    """Say it loudly.

    Args:
        text: The text.
    """
    return text.upper()


async def ashout(text: str) -> str:
    """Say it loudly."""
    return f"{text.upper()}!"


def add(a: int, b: int = 1) -> int:
    """Add numbers."""
    return a + b


def first(x: int) -> str:
    """Show it."""
    return repr(x)


class Word(BaseModel):
    """A word."""

    text: str


@pytest.mark.parametrize(
    "make",
    [
        lambda t: t.StructuredTool.from_function(shout),
        lambda t: t.StructuredTool.from_function(func=shout, name="loud", description="Loudly."),
        lambda t: t.StructuredTool.from_function(shout, args_schema=Word),
        lambda t: t.tool(shout),
        lambda t: t.tool("loud")(shout),
        lambda t: t.tool(parse_docstring=True)(whisper),
        lambda t: t.tool("loud", return_direct=True, infer_schema=True)(shout),
        lambda t: t.tool("loud", args_schema=Word)(shout),
        lambda t: t.Tool(name="shout", func=shout, description="Loudly."),
    ],
)
def test_the_same_line_makes_the_same_tool(make: Any) -> None:
    """Name, description, directness and results are those of LangChain's tool."""
    ours, theirs = make(chatnb), make(langchain)
    assert (ours.name, ours.description) == (theirs.name, theirs.description)
    assert ours.return_direct == theirs.return_direct
    assert ours.invoke("abc") == theirs.invoke("abc") == "ABC"
    assert [schema["type"] for schema in ours.args.values()] == ["string"]
    assert pickle.loads(pickle.dumps(ours)).return_direct == ours.return_direct


def test_a_tool_may_have_a_function_for_each_way() -> None:
    """`coroutine` runs in asynchronous methods, `func` in the others; one of them is enough."""
    both = chatnb.StructuredTool.from_function(func=shout, coroutine=ashout)
    assert both.invoke("a") == "A"
    assert asyncio.run(both.ainvoke("a")) == "A!"
    assert asyncio.run(both.ainvoke(CALL)) == ToolMessage("A!", name="shout", tool_call_id="c1")
    alone = chatnb.StructuredTool.from_function(coroutine=ashout, name="shout")
    assert alone.invoke("a") == asyncio.run(alone.ainvoke("a")) == "A!"
    copied = pickle.loads(pickle.dumps(both))
    assert (copied.invoke("a"), asyncio.run(copied.ainvoke("a"))) == ("A", "A!")
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: chatnb.StructuredTool.from_function(), "func"),
        (lambda: chatnb.StructuredTool.from_function(shout, coroutine=shout), "not of <function"),
        (lambda: chatnb.StructuredTool.from_function(shout, coroutine="x"), "not of 'x'"),
        (lambda: chatnb.StructuredTool.from_function("x", coroutine=ashout), "not of 'x'"),
        (lambda: chatnb.StructuredTool.from_function("x"), "not of 'x'"),
        (lambda: chatnb.Tool("name", func=shout), "func"),
    ]
    for make, said in refused:
        with pytest.raises(TypeError, match=said):
            make()


def test_a_string_is_the_only_argument() -> None:
    """It is validated like any; with several arguments, or none, they are named."""
    whole = chatnb.tool(add)
    with pytest.raises(TypeError, match=r"its arguments \(a, b\) as a dict"):
        whole.invoke("2")

    @chatnb.tool
    def double(n: int, user: Annotated[str, chatnb.InjectedToolArg] = "you") -> str:
        """Double a number."""
        return f"{user}: {2 * n}"

    assert double.invoke("2") == asyncio.run(double.ainvoke("2")) == "you: 4"
    assert double.batch(["1", "2"]) == ["you: 2", "you: 4"]
    with pytest.raises(ToolArgumentsError, match="n: "):
        double.invoke("two")

    @chatnb.tool
    def now() -> str:
        """Tell the time."""
        return "12:00"

    with pytest.raises(TypeError, match="it has none"):
        now.invoke("x")


def test_a_schema_need_not_be_inferred() -> None:
    """`infer_schema=False` passes one string, whatever the hints say."""

    for made in (
        chatnb.tool(infer_schema=False)(first),
        chatnb.StructuredTool.from_function(first, infer_schema=False),
    ):
        assert made.args == {"x": {"type": "string"}}
        assert made.invoke("5") == "'5'"
        theirs = convert_to_openai_tool(langchain.tool(infer_schema=False)(first))["function"]
        ours = chatnb.to_openai_tool(made)["function"]
        assert ours["description"] == theirs["description"]
        assert len(ours["parameters"]["required"]) == len(theirs["parameters"]["required"]) == 1
        assert pickle.loads(pickle.dumps(made.args)) == made.args
    with pytest.raises(TypeError, match="takes no argument"):
        chatnb.tool(infer_schema=False)(lambda: None)


def calls(*names: str) -> AIMessage:
    made = [
        {"name": name, "args": {"text": name}, "id": f"c{number}"}
        for number, name in enumerate(names)
    ]
    return AIMessage("", tool_calls=made)


def fail(text: str) -> str:
    """Fail."""
    raise ValueError(text)


DIRECT = [
    chatnb.tool("direct", return_direct=True)(shout),
    chatnb.tool("other", return_direct=True)(shout),
    chatnb.tool("failing", return_direct=True)(fail),
    chatnb.tool("plain")(shout),
]


@pytest.mark.parametrize(
    ("called", "answer"),
    [
        (["direct"], "DIRECT"),
        (["plain", "direct"], "DIRECT"),
        (["other", "direct"], "OTHER\nDIRECT"),
        (["failing", "other"], "OTHER"),
        (["failing"], "asked again"),
        (["plain"], "asked again"),
    ],
)
def test_a_direct_result_is_the_answer(called: list[str], answer: str) -> None:
    """The model is not asked again, unless the tool failed; all methods agree."""

    def loop() -> chatnb.ToolLoop:
        return chatnb.ToolLoop(ScriptedChatModel([calls(*called), "asked again"]), DIRECT)

    assert loop().invoke("Go").text == answer
    assert asyncio.run(loop().ainvoke("Go")).text == answer
    messages = chatnb.run_tools(
        ScriptedChatModel([calls(*called), "asked again"]), DIRECT, "Go", max_rounds=2
    )
    assert [type(message) for message in messages] == [
        AIMessage,
        *[ToolMessage] * len(called),
        AIMessage,
    ]
    assert messages[-1].text == answer


def test_direct_tools_of_langchain_are_direct() -> None:
    """`return_direct` of LangChain's tools is heeded in the loop."""
    direct = langchain.tool("direct", return_direct=True)(shout)
    chat = ScriptedChatModel([calls("direct")])
    assert chatnb.ToolLoop(chat, [direct]).invoke("Go").text == "DIRECT"


def show_id(text: str, call_id: Annotated[str, chatnb.InjectedToolCallId]) -> str:
    """Show the id."""
    return f"{text} {call_id}"


def show_langchain_id(text: str, call_id: Annotated[str, langchain.InjectedToolCallId]) -> str:
    """Show the id."""
    return f"{text} {call_id}"


def test_the_id_of_a_call_is_injected() -> None:
    """A parameter marked with `InjectedToolCallId`, of either package, gets the call's id."""
    for show in (show_id, show_langchain_id):
        tool = chatnb.tool("show")(show)
        assert list(tool.args) == ["text"]
        call = {"name": "show", "args": {"text": "a"}, "id": "c9", "type": "tool_call"}
        assert tool.invoke(call).content == "a c9"
        assert tool.invoke("a") == "a "


@pytest.mark.parametrize("input", ["a", {"text": "a"}, CALL])
def test_a_tool_runs_by_the_older_name(input: Any) -> None:
    """`run` and `arun` give what `invoke` gives, as LangChain's do for the arguments."""
    mine, theirs = chatnb.tool(shout), langchain.tool(shout)
    assert mine.run(input) == asyncio.run(mine.arun(input)) == mine.invoke(input)
    if input is not CALL:
        assert mine.run(input) == theirs.run(input)


def handled(tools: Any, flag: Any, error: str) -> Any:
    """Return a tool that fails: its function raises, or its arguments do not fit."""

    def price(item: str) -> str:
        """Look up a price."""
        raise tools.ToolException(f"no {item}")

    return tools.StructuredTool.from_function(price, **{f"handle_{error}_error": flag})


FLAGS: list[Any] = [True, "It failed.", lambda error: f"Sorry: {error}"]  # pyright: ignore[reportUnknownLambdaType]


@pytest.mark.parametrize("flag", FLAGS, ids=["true", "text", "function"])
def test_handled_errors_are_results(flag: Any) -> None:
    """`handle_tool_error` gives the value that LangChain's does, and a failed message to a call."""
    call = {"name": "price", "args": {"item": "x"}, "id": "c1", "type": "tool_call"}
    ours, theirs = (handled(tools, flag, "tool") for tools in (chatnb, langchain))
    args = call["args"]
    assert ours.invoke(args) == theirs.invoke(args) == asyncio.run(ours.ainvoke(args))
    message, same = ours.invoke(call), theirs.invoke(call)
    assert (message.content, message.status) == (same.content, same.status)
    assert pickle.loads(pickle.dumps(handled_by_text)).invoke("x") == "It failed."


@chatnb.tool(handle_tool_error="It failed.")
def handled_by_text(item: str) -> str:
    """Fail."""
    raise chatnb.ToolException(item)


def test_arguments_that_do_not_fit_can_be_handled() -> None:
    """`handle_validation_error` is for those alone; without it, both errors are raised."""
    assert handled(chatnb, "Wrong.", "validation").invoke({"item": []}) == "Wrong."
    with pytest.raises(chatnb.ToolException, match="no x"):
        handled(chatnb, "Wrong.", "validation").invoke("x")
    with pytest.raises(ToolArgumentsError):
        handled(chatnb, "It failed.", "tool").invoke({"item": []})


def test_extras_go_to_the_provider_that_has_them() -> None:
    """Anthropic's requests have the fields of `extras`; those of other models have not."""
    tool = chatnb.tool(extras={"defer_loading": True, "other": 1})(shout)
    assert tool.extras == {"defer_loading": True, "other": 1}
    bound: Any = ChatAnthropic("m", api_key="x").bind_tools([tool])
    assert bound.kwargs["tools"][0]["defer_loading"] is True
    assert "other" not in bound.kwargs["tools"][0]
    plain: Any = ChatOpenAI("m", api_key="x").bind_tools([tool])
    assert plain.kwargs["tools"][0].keys() == {"type", "function"}


def test_the_schema_of_calls_has_no_injected_arguments() -> None:
    """`tool_call_schema` describes what a model may give, as LangChain's."""

    def find(text: str, limit: Annotated[int, chatnb.InjectedToolArg] = 3) -> str:
        """Find it."""
        return text

    schema: Any = chatnb.tool(find).tool_call_schema
    assert list(schema.model_json_schema()["properties"]) == ["text"]


@pytest.mark.parametrize(
    ("docstring", "said"),
    [("Say it.", "no section Args"), ("Say it.\n\nArgs:\n    loud: x", "loud, which is no")],
)
def test_an_invalid_docstring_is_refused_on_request(docstring: str, said: str) -> None:
    """`error_on_invalid_docstring=True` refuses arguments that are missing, or unknown ones."""

    def say(text: str) -> str:
        return text

    say.__doc__ = docstring
    assert chatnb.tool(say).name == "say"
    with pytest.raises(ValueError, match=said):
        chatnb.tool(parse_docstring=True, error_on_invalid_docstring=True)(say)
    say.__doc__ = "Say it.\n\nArgs:\n    text: The text."
    assert chatnb.tool(error_on_invalid_docstring=True)(say).args["text"]["description"]
