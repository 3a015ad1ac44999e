"""Runnables as people write them for LangChain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any, TypedDict

import pytest
from langchain_core import runnables as langchain
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage as LangChainAIMessage
from langchain_core.messages import messages_from_dict
from langchain_core.output_parsers import StrOutputParser as LangChainStrOutputParser
from langchain_core.prompts import ChatPromptTemplate as LangChainPrompt
from langchain_core.tools import tool as langchain_tool

from chatnb import runnables as chatnb
from chatnb.chat_models import ScriptedChatModel
from chatnb.conversations import Conversation
from chatnb.output_parsers import PydanticOutputParser, StrOutputParser
from chatnb.prompts import ChatPromptTemplate, MessagesPlaceholder, PromptTemplate
from chatnb.runnables import Runnable, RunnableConfig, RunnableLambda, RunnableWithMessageHistory
from chatnb.schema import AIMessage, SystemMessage, messages_to_dict
from chatnb.store import Store
from chatnb.tools import ToolLoop, tool

Ways = Callable[[Runnable[Any, Any], Any, Any], Any]


async def _gathered(stream: Any) -> list[Any]:
    return [chunk async for chunk in stream]


WAYS: list[Ways] = [
    lambda r, x, c: r.invoke(x, c),
    lambda r, x, c: asyncio.run(r.ainvoke(x, c)),
    lambda r, x, c: "".join(r.stream(x, c)),
    lambda r, x, c: "".join(asyncio.run(_gathered(r.astream(x, c)))),
    lambda r, x, c: r.batch([x], c)[0],
]


@pytest.mark.parametrize("way", WAYS)
def test_chain_makes_a_runnable_of_any_function(way: Ways) -> None:
    """Plain, asynchronous and generator functions; what returns a runnable runs it."""

    @chatnb.chain
    def plain(text: str) -> str:
        return text.upper()

    @chatnb.chain
    async def later(text: str) -> str:
        return text.upper()

    @chatnb.chain
    def letters(text: str) -> Iterator[str]:
        yield from text.upper()

    @chatnb.chain
    def other(text: str) -> Any:
        return plain

    for made in (plain, later, letters, other):
        assert way(made, "ab", None) == "AB"
        assert way(made | str.lower, "ab", None) == "ab"


@pytest.mark.parametrize("way", WAYS)
def test_a_passthrough_calls_its_function(way: Ways) -> None:
    """The function gets the whole input, once, in every way; the input goes on."""
    seen = list[Any]()

    async def later(text: str) -> None:
        seen.append(text)

    def with_config(text: str, config: RunnableConfig) -> None:
        seen.append(text)
        assert config.get("tags") == ["t"]

    for given in (seen.append, later, with_config):
        seen.clear()
        passing = chatnb.RunnablePassthrough[str](given)
        assert way(passing, "ab", {"tags": ["t"]}) == "ab"
        assert way(RunnableLambda(iter_letters) | passing, "ab", {"tags": ["t"]}) == "ab"
        assert seen == ["ab", "ab"]
    with pytest.raises(TypeError, match="takes a function"):
        chatnb.RunnablePassthrough(5)  # pyright: ignore[reportArgumentType]


def iter_letters(text: str) -> Iterator[str]:
    yield from text


@pytest.mark.parametrize("way", WAYS)
def test_listeners_get_the_run_of_their_runnable_alone(way: Ways) -> None:
    """Start and end come once for each call, with inputs and outputs, and none of inner runs."""
    seen = list[Any]()
    inner = RunnableLambda(str.strip) | str.upper
    made = inner.with_listeners(
        on_start=lambda run: seen.append(("start", run.name)),
        on_end=lambda run, config: seen.append(("end", run.outputs, config["tags"])),
        on_error=lambda run: seen.append("error"),
    )
    expected = [("start", "RunnableSequence"), ("end", {"output": "AB"}, ["t"])]
    assert way(made, " ab ", {"tags": ["t"]}) == "AB"
    assert seen == expected
    seen.clear()
    outer = RunnableLambda(lambda text: f" {text}") | made
    assert way(outer, "ab", {"tags": ["t"], "callbacks": []}) == "AB"
    assert seen == expected


def test_listeners_of_failures() -> None:
    """on_error gets the failed run; an asynchronous listener is awaited."""
    seen = list[Any]()

    async def note(run: Any) -> None:
        seen.append((run.error["type"], run.inputs))

    failing = RunnableLambda(int).with_listeners(on_error=note)
    with pytest.raises(ValueError, match="invalid literal"):
        failing.invoke("x")
    with pytest.raises(ValueError, match="invalid literal"):
        asyncio.run(failing.ainvoke("y"))
    assert seen == [("ValueError", "x"), ("ValueError", "y")]
    with pytest.raises(TypeError, match="on_end is a function"):
        failing.with_listeners(on_end=5)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("way", WAYS)
def test_a_config_chooses_an_alternative(way: Ways) -> None:
    """By call, by with_config and within a chain; factories are called when they are chosen."""
    made = list[int]()

    def reverse() -> Runnable[Any, Any]:
        made.append(1)
        return RunnableLambda(lambda text: text[::-1])

    field = chatnb.ConfigurableField(id="case")
    case = RunnableLambda(str.upper).configurable_alternatives(
        field, default_key="upper", lower=RunnableLambda(str.lower), reverse=reverse
    )
    assert way(case, "Ab", None) == way(case, "Ab", {"configurable": {"case": "upper"}}) == "AB"
    assert way(case, "Ab", {"configurable": {"case": "lower"}}) == "ab"
    assert made == []
    assert way(case.with_config(configurable={"case": "reverse"}), "Ab", None) == "bA"
    assert way(RunnableLambda(str.strip) | case, " Ab", {"configurable": {"case": "lower"}}) == "ab"
    with pytest.raises(ValueError, match="case is one of upper, lower, reverse, not 'x'"):
        way(case, "Ab", {"configurable": {"case": "x"}})


def test_fields_of_alternatives_are_told_apart_by_prefixes() -> None:
    """Each choice has its own value of a field of both, also below a chain; others stay unset."""
    which, name = chatnb.ConfigurableField(id="size"), chatnb.ConfigurableField(id="model")
    small = ScriptedChatModel(["x"] * 9).configurable_fields(model_name=name)
    large = ScriptedChatModel(["x"] * 9).configurable_fields(model_name=name)
    chat = small.configurable_alternatives(
        which, default_key="small", prefix_keys=True, large=large
    )
    given = {"size==small/model": "s", "size==large/model": "l"}

    def used(runnable: Any, **configurable: str) -> str:
        reply = runnable.invoke("Hi", {"configurable": configurable})
        return reply.response_metadata["model_name"]

    for runnable in (chat, RunnableLambda(str.strip) | chat):
        assert used(runnable, **given) == "s"
        assert used(runnable, **given, size="large") == "l"
    assert used(chat, size="large", **{"size==small/model": "s"}) == used(chat)


def test_alternatives_of_models_keep_their_methods() -> None:
    """Tools are bound to the model and to its alternatives; what is no runnable is refused."""
    field = chatnb.ConfigurableField(id="llm")
    models: Any = ScriptedChatModel(["one"] * 2).configurable_alternatives(
        field, other=ScriptedChatModel(["two"] * 2)
    )
    bound = models.bind_tools([tool(len_of)])
    assert bound.invoke("x").text == "one"
    assert bound.invoke("x", {"configurable": {"llm": "other"}}).text == "two"
    with pytest.raises(TypeError, match="is no runnable: 5"):
        ScriptedChatModel(["x"]).configurable_alternatives(field, other=5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="key of the runnable itself"):
        ScriptedChatModel(["x"]).configurable_alternatives(
            field, default_key="a", a=ScriptedChatModel(["x"])
        )


def len_of(text: str) -> int:
    """Count the letters."""
    return len(text)


class KeptMessages:
    """A history by LangChain's protocol, with its messages."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def add_messages(self, messages: Sequence[Any]) -> None:
        self.messages += messages_from_dict(messages_to_dict(list(messages)))


MODES = ["messages", "dict with history", "dict of messages", "another history"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", WAYS)
def test_a_history_is_sent_and_kept(mode: str, way: Ways) -> None:
    """Each turn gets the messages before it, and the conversation has them, by session."""
    store, theirs = Store(":memory:"), dict[str, KeptMessages]()
    asked = list[list[str]]()

    @chatnb.chain
    def model(messages: Any) -> str:
        messages = messages.to_messages() if hasattr(messages, "to_messages") else messages
        asked.append([message.text for message in messages])
        return f"reply {len(messages)}"

    def history(session_id: str) -> Any:
        if mode == "another history":
            return theirs.setdefault(session_id, KeptMessages())
        return Conversation(session_id, store=store)

    runnable: Runnable[Any, Any] = model
    options: dict[str, Any] = {}
    if mode == "dict with history":
        runnable = ChatPromptTemplate([MessagesPlaceholder("before"), ("human", "{q}")]) | model
        options = {"input_messages_key": "q", "history_messages_key": "before"}
    elif mode == "dict of messages":
        runnable = RunnableLambda(itemgetter("q")) | model
        options = {"input_messages_key": "q"}
    chat = RunnableWithMessageHistory(runnable, history, **options)

    def ask(text: str, session: str) -> str:
        given = {"q": text} if "dict" in mode else text
        return way(chat, given, {"configurable": {"session_id": session}})

    assert [ask("a", "s"), ask("b", "s"), ask("c", "t")] == ["reply 1", "reply 3", "reply 1"]
    assert asked == [["a"], ["a", "reply 1", "b"], ["c"]]
    assert [message.text for message in history("s").messages] == ["a", "reply 1", "b", "reply 3"]


def test_a_history_needs_its_session() -> None:
    """Missing ids are named; other arguments of the factory are fields; a failure adds nothing."""
    store = Store(":memory:")

    def history(user: str, topic: str) -> Conversation:
        return Conversation(f"{user}-{topic}", store=store)

    fields = [chatnb.ConfigurableField(id="user"), chatnb.ConfigurableField(id="topic")]
    chat = RunnableWithMessageHistory(
        ScriptedChatModel(["hi"]), history, history_factory_config=fields
    )
    with pytest.raises(ValueError, match="needs a config with topic"):
        chat.invoke("x", {"configurable": {"user": "ada"}})
    session: Any = {"configurable": {"user": "ada", "topic": "boats"}}
    conversation = Conversation("ada-boats", store=store)
    conversation.system = "Be brief."
    assert chat.invoke("x", session).text == "hi"
    assert [m.text for m in Conversation("ada-boats", store=store).messages] == ["x", "hi"]
    assert conversation.messages_through(None) == [SystemMessage("Be brief.")]
    with pytest.raises(ValueError, match="needs a config with session_id"):
        RunnableWithMessageHistory(ScriptedChatModel(["x"])).invoke("x")
    failing = RunnableWithMessageHistory(
        RunnableLambda(int), history, history_factory_config=fields
    )
    with pytest.raises(TypeError):
        failing.invoke("x", session)
    assert len(Conversation("ada-boats", store=store).messages) == 2


def double(n: int) -> int:
    """Double a number."""
    return 2 * n


def events_of(runnable: Any, input: Any, **options: Any) -> list[dict[str, Any]]:
    async def gathered() -> list[dict[str, Any]]:
        return [e async for e in runnable.astream_events(input, version="v2", **options)]

    return asyncio.run(gathered())


def summary(events: list[dict[str, Any]]) -> list[Any]:
    """Return what is the same in both packages: one item for the chunks of a run."""
    names = {"GenericFakeChatModel": "Model", "ScriptedChatModel": "Model"}
    found = list[Any]()
    for event in events:
        item = (
            event["event"],
            names.get(event["name"], event["name"]),
            event["tags"],
            len(event["parent_ids"]),
            sorted(event["data"]),
        )
        if item not in found:
            found.append(item)
    return sorted(found)


@pytest.mark.parametrize(
    ("ours", "theirs", "input"),
    [
        (
            lambda: ChatPromptTemplate(["Hi {x}"]) | ScriptedChatModel(["a b"]) | StrOutputParser(),
            lambda: (
                LangChainPrompt.from_template("Hi {x}")
                | GenericFakeChatModel(messages=iter([LangChainAIMessage("a b")]))
                | LangChainStrOutputParser()
            ),
            {"x": 1},
        ),
        (
            lambda: ScriptedChatModel(["a b"]),
            lambda: GenericFakeChatModel(messages=iter([LangChainAIMessage("a b")])),
            "Hi",
        ),
        (lambda: tool(double), lambda: langchain_tool(double), {"n": 2}),
        (
            lambda: chatnb.RunnableParallel(a=tool(double), b=chatnb.RunnablePassthrough[Any]()),
            lambda: langchain.RunnableParallel(
                a=langchain_tool(double), b=langchain.RunnablePassthrough()
            ),
            {"n": 2},
        ),
    ],
)
def test_events_are_those_of_langchain(ours: Any, theirs: Any, input: Any) -> None:
    """Names, types, tags, depth and the keys of the data of all events are LangChain's."""
    mine = events_of(ours(), input)
    assert [e for e in summary(mine) if "Parallel" not in e[1]] == [
        e for e in summary(events_of(theirs(), input)) if "Parallel" not in e[1]
    ]
    ids = {event["run_id"] for event in mine}
    assert all(set(event["parent_ids"]) <= ids for event in mine)
    assert mine[0]["data"]["input"] is not None
    assert mine[-1]["data"]["output"] is not None


def test_events_are_chosen_and_end_with_the_failure() -> None:
    """Filters by name, type and tag; an error event, then the exception; other versions no."""
    chain = ChatPromptTemplate(["Hi {x}"]) | ScriptedChatModel(["a b"] * 9) | StrOutputParser()
    for options in (
        {"include_types": ["chat_model"]},
        {"include_names": ["ScriptedChatModel"]},
        {"include_tags": ["seq:step:2"]},
        {"exclude_types": ["chain", "prompt", "parser"]},
    ):
        events = events_of(chain, {"x": 1}, **options)
        kinds = ["on_chat_model_start", *["on_chat_model_stream"] * 2, "on_chat_model_end"]
        assert [event["event"] for event in events] == kinds
        assert "".join(event["data"]["chunk"].text for event in events[1:3]) == "a b"
        assert events[-1]["data"]["output"].text == "a b"
    seen = list[str]()

    async def failing() -> None:
        async for event in (RunnableLambda(str.strip) | int).astream_events(" x"):
            seen.append(event["event"])

    with pytest.raises(ValueError, match="invalid literal"):
        asyncio.run(failing())
    assert seen[-2:] == ["on_chain_error", "on_chain_error"]
    with pytest.raises(ValueError, match="version 'v2'"):
        asyncio.run(anext(chain.astream_events({"x": 1}, version="v1")))  # pyright: ignore[reportArgumentType]


def test_closing_the_events_ends_the_run() -> None:
    """After a break nothing of the run goes on."""
    ended = list[bool]()

    async def slow(text: str) -> AsyncIterator[str]:
        try:
            yield text
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def run() -> None:
        events = RunnableLambda(slow).astream_events("a")
        async for event in events:
            if event["event"] == "on_chain_stream":
                break
        await events.aclose()
        assert ended == [True]

    asyncio.run(run())


class Question(TypedDict):
    q: str
    k: int


def search(asked: Question) -> list[str]:
    return [asked["q"]] * asked["k"]


def fields_of(model: Any) -> set[str]:
    return set(model.model_json_schema().get("properties", ()))


def test_schemas_say_what_is_known() -> None:
    """Variables of prompts, hints of functions, keys of itemgetters and of parallel steps."""
    prompt = ChatPromptTemplate(["{a} {b}"])
    assert fields_of(prompt.input_schema) == {"a", "b"}
    assert fields_of((prompt | len).with_config(tags=["t"]).get_input_schema()) == {"a", "b"}
    assert RunnableLambda(search).input_schema.model_validate({"q": "x", "k": 1})
    parallel = chatnb.RunnableParallel(a=itemgetter("x"), b=itemgetter("y"))
    assert fields_of(parallel.input_schema) == {"x", "y"}
    assert fields_of(parallel.output_schema) == {"a", "b"}
    assert (prompt | StrOutputParser()).output_schema.model_json_schema()["type"] == "string"
    given = prompt.input_schema
    assert PydanticOutputParser(given).output_schema is given
    for unknown in (RunnableLambda(len), RunnableLambda(lambda x: x), ScriptedChatModel(["x"])):
        assert unknown.input_schema.model_validate("x")
        assert unknown.output_schema.model_json_schema() is not None


@pytest.mark.parametrize(
    ("runnable", "options", "args", "call", "result"),
    [
        (PromptTemplate("{a}{b}") | (lambda v: v.text), {}, ["a", "b"], {"a": "1", "b": "2"}, "12"),
        (RunnableLambda(str.upper), {}, ["input"], {"input": "x"}, "X"),
        (RunnableLambda(search), {}, ["k", "q"], {"q": "x", "k": 2}, ["x", "x"]),
        (RunnableLambda(lambda d: d["n"] * 2), {"arg_types": {"n": int}}, ["n"], {"n": "2"}, 4),
    ],
)
def test_a_runnable_is_a_tool(
    runnable: Any, options: Any, args: list[str], call: Any, result: Any
) -> None:
    """Its arguments are what it takes; a tool loop calls it, sync and async."""
    made = runnable.as_tool(name="do_it", description="Do it.", **options)
    assert (made.name, made.description, sorted(made.args)) == ("do_it", "Do it.", args)
    assert made.invoke(call) == asyncio.run(made.ainvoke(call)) == result
    asking = AIMessage("", tool_calls=[{"name": "do_it", "args": call, "id": "c1"}])
    assert ToolLoop(ScriptedChatModel([asking, "done"]), [made]).invoke("Go").text == "done"
    assert runnable.as_tool(**options).name


def test_a_sequence_and_its_schemas_are_read_as_langchain_s() -> None:
    """The steps by their places, and the JSON schemas of both ends."""
    mine = PromptTemplate.from_template("Hi {name}") | RunnableLambda(str) | StrOutputParser()
    assert [mine.first, *mine.middle, mine.last] == list(mine.steps)
    theirs = LangChainPrompt.from_template("Hi {name}") | LangChainStrOutputParser()
    for ours, upstream in (
        (mine.get_input_jsonschema(), theirs.get_input_jsonschema()),
        (mine.get_output_jsonschema(), theirs.get_output_jsonschema()),
    ):
        assert ours["type"] == upstream["type"]
        assert ours.get("required") == upstream.get("required")


def test_assign_takes_a_parallel_runnable() -> None:
    """`RunnableAssign(RunnableParallel(...))` adds its entries, as LangChain's."""
    for runnables in (chatnb, langchain):
        assign = runnables.RunnableAssign(
            runnables.RunnableParallel(n=lambda given: given["a"] + 1)
        )
        assert assign.invoke({"a": 1}) == {"a": 1, "n": 2}


def test_with_types_sets_the_schemas_alone() -> None:
    """`with_types` gives a runnable's schemas their types, and the runs stay as they were."""
    for runnables in (chatnb, langchain):
        plain: Any = runnables.RunnableLambda(lambda text: len(text))
        typed = plain.with_types(input_type=list[int], output_type=int)
        assert typed.get_input_jsonschema()["items"] == {"type": "integer"}
        assert (typed | str).get_input_jsonschema()["items"] == {"type": "integer"}
        assert typed.get_output_jsonschema()["type"] == "integer"
        assert typed.invoke([1, 2]) == 2
        assert plain.with_types(output_type=int).get_input_jsonschema().get("type") is None
