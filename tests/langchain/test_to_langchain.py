from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core import exceptions as theirs
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, UsageMetadataCallbackHandler
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    ToolMessage,
)
from langchain_core.prompts import ChatPromptTemplate
from pydantic import BaseModel, ValidationError

from chatnb import errors, schema
from chatnb.chat_models import BaseChatModel, ChatOpenAI, ScriptedChatModel
from chatnb.chat_models.cache import InMemoryCache as ReplyCache
from chatnb.langchain import ChatnbChat, to_langchain
from tests.support.langchain_wire_model import JOKE, answering
from tests.support.loopback import LoopbackServer, delta, endless, head, refusal, reset

METHODS = pytest.mark.parametrize("method", ["invoke", "ainvoke", "stream", "astream"])


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str


class Chunks(BaseChatModel):
    """Says just these chunks."""

    model_name = "chunks"

    def __init__(self, *chunks: schema.AIMessageChunk) -> None:
        self.chunks = chunks

    def _stream(
        self, messages: list[schema.BaseMessage], **params: Any
    ) -> Iterator[schema.AIMessageChunk]:
        yield from self.chunks


@pytest.fixture
def wire(loopback: LoopbackServer) -> ChatnbChat:
    loopback.plays(answering)
    return to_langchain(ChatOpenAI("loopback-1", base_url=loopback.base_url, api_key="none"))


def reply_of(model: Any, method: str, input: Any, **kwargs: Any) -> AIMessage:
    """The whole reply, by any method."""

    async def gathered() -> list[Any]:
        if method == "ainvoke":
            return [await model.ainvoke(input, **kwargs)]
        return [chunk async for chunk in model.astream(input, **kwargs)]

    if method.startswith("a"):
        said = asyncio.run(gathered())
    else:
        given = getattr(model, method)(input, **kwargs)
        said = [given] if method == "invoke" else list(given)
    return said[0] if len(said) == 1 else sum(said[1:], said[0])


@METHODS
def test_a_reply_is_the_same_by_every_method(wire: ChatnbChat, method: str) -> None:
    """Text, usage by LangChain's names, metadata and id come once, whole or streamed."""
    reply = reply_of(wire, method, "Hi")
    assert reply.content == "Hello there."
    assert reply.usage_metadata == {
        "input_tokens": 7,
        "output_tokens": 5,
        "total_tokens": 12,
        "input_token_details": {"cache_read": 4, "audio": 1},
        "output_token_details": {"reasoning": 2, "audio": 1},
    }
    assert reply.response_metadata == {"finish_reason": "stop", "model_name": "loopback-1"}
    assert reply.id == "chatcmpl-1"


@pytest.mark.parametrize("method", ["stream", "astream"])
def test_what_is_repeated_is_not_added_up(method: str) -> None:
    """Running totals, repeated metadata and repeated names are said to LangChain once; what it
    makes of the stream is what chatnb does."""
    totals = [{"input_tokens": 3, "output_tokens": n, "total_tokens": 3 + n} for n in (1, 2)]
    pieces = [("add", '{"a":', "c1"), ("add", " 1}", "c1")]
    chunks = [
        schema.AIMessageChunk(
            "",
            usage_metadata=usage,
            response_metadata={"model_name": "m", "finish_reason": "tool_calls"},
            additional_kwargs={"reasoning_content": "Hm. ", "audio": {"id": "a1", "expires_at": 9}},
            tool_call_chunks=[{"name": name, "args": args, "id": id, "index": 0}],
        )
        for usage, (name, args, id) in zip(totals, pieces, strict=True)
    ]
    reply = reply_of(to_langchain(Chunks(*chunks)), method, "Hi")
    assert reply.usage_metadata == totals[-1]
    assert reply.response_metadata == {"model_name": "m", "finish_reason": "tool_calls"}
    assert reply.additional_kwargs == {
        "reasoning_content": "Hm. Hm. ",
        "audio": {"id": "a1", "expires_at": 9},
    }
    assert reply.tool_calls == [{"name": "add", "args": {"a": 1}, "id": "c1", "type": "tool_call"}]


def test_text_and_reasoning_come_at_once() -> None:
    """A stream that people watch is not held back until the reply ends."""
    thought = schema.AIMessageChunk("", additional_kwargs={"reasoning_content": "Hm."})
    first, second, *_ = to_langchain(Chunks(thought, schema.AIMessageChunk("Hi"))).stream("Hi")
    assert first.additional_kwargs == {"reasoning_content": "Hm."}
    assert second.content == "Hi"


@METHODS
def test_parameters_reach_the_wire(wire: ChatnbChat, loopback: LoopbackServer, method: str) -> None:
    """Arguments of the call win over those of `to_langchain`."""
    model = to_langchain(wire.chat, temperature=0.5, max_tokens=9, stop=["x"])
    reply_of(model, method, "Hi", max_tokens=7, stop=["y"], seed=1)
    body = loopback.exchanges[-1].body
    said = {name: body[name] for name in ("temperature", "max_tokens", "stop", "seed")}
    assert said == {"temperature": 0.5, "max_tokens": 7, "stop": ["y"], "seed": 1}


@METHODS
def test_tools_reach_the_wire_and_calls_come_back(
    wire: ChatnbChat, loopback: LoopbackServer, method: str
) -> None:
    """A function becomes OpenAI's tool, a choice OpenAI's choice, and the call is parsed."""

    def magic_function(input: int) -> int:
        """Do magic."""
        return input

    search = {"type": "web_search_20250305", "name": "web_search"}
    bound = wire.bind_tools([magic_function], tool_choice="any", parallel_tool_calls=False)
    reply = reply_of(bound, method, "Hi")
    body = loopback.exchanges[-1].body
    assert [tool["function"]["name"] for tool in body["tools"]] == ["magic_function"]
    assert (body["tool_choice"], body["parallel_tool_calls"]) == ("required", False)
    assert [(call["name"], call["args"]) for call in reply.tool_calls] == [
        ("magic_function", {"input": 3})
    ]
    assert wire.bind_tools([search]).kwargs == {"tools": [search]}  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_structured_output_with_what_was_said(wire: ChatnbChat, method: Any) -> None:
    """`include_raw` gives the message, the value and no error, by every method."""
    answer = wire.with_structured_output(Joke, method=method, include_raw=True).invoke("Joke!")
    assert answer["parsed"] == Joke(**JOKE)
    assert isinstance(answer["raw"], AIMessage)
    assert answer["parsing_error"] is None


def test_structured_output_that_does_not_fit() -> None:
    """With `include_raw` the parser's error is given, without it is raised."""
    model = to_langchain(ScriptedChatModel(['{"setup": "Why?"}']))
    answer = model.with_structured_output(Joke, include_raw=True).invoke("Joke!")
    assert answer["parsed"] is None
    assert isinstance(answer["parsing_error"], theirs.OutputParserException)
    with pytest.raises(theirs.OutputParserException):
        model.with_structured_output(Joke).invoke("Joke!")


def test_strict_schemas_are_closed(wire: ChatnbChat, loopback: LoopbackServer) -> None:
    """`strict` asks for the schema to the letter, which OpenAI wants closed."""
    wire.with_structured_output(Joke, strict=True).invoke("Joke!")
    asked = loopback.exchanges[-1].body["response_format"]["json_schema"]
    assert (asked["name"], asked["strict"]) == ("Joke", True)
    assert asked["schema"]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("part", "written"),
    [
        (
            {"type": "image", "base64": "AA==", "mime_type": "image/png"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        ),
        (
            {"type": "image", "url": "https://example.org/a.png"},
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        ),
        (
            {"type": "audio", "base64": "AA==", "mime_type": "audio/wav"},
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        ),
        (
            {
                "type": "file",
                "base64": "AA==",
                "mime_type": "application/pdf",
                "extras": {"filename": "a.pdf"},
            },
            {
                "type": "file",
                "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"},
            },
        ),
    ],
)
@pytest.mark.parametrize("kind", [HumanMessage, ToolMessage])
def test_parts_reach_the_wire_in_openai_s_form(
    wire: ChatnbChat,
    loopback: LoopbackServer,
    kind: type[BaseMessage],
    part: dict[str, Any],
    written: dict[str, Any],
) -> None:
    """LangChain's standard blocks of images, sounds and files, and OpenAI's own, come the same."""
    answers: dict[str, Any] = {"tool_call_id": "c1"} if kind is ToolMessage else {}
    for given in (part, written):
        wire.invoke([kind([{"type": "text", "text": "Look:"}, given], **answers)])
        text = {"type": "text", "text": "Look:"}
        assert loopback.exchanges[-1].body["messages"][0]["content"] == [text, written]


def test_a_reply_in_blocks_goes_back_as_text_and_calls(
    wire: ChatnbChat, loopback: LoopbackServer
) -> None:
    """Calls and thoughts among a reply's blocks are not sent twice, nor as parts."""
    call = {"name": "add", "args": {"a": 1}, "id": "c1", "type": "tool_call"}
    blocks = [
        {"type": "reasoning", "reasoning": "Hm."},
        {"type": "text", "text": "Well", "index": 0, "annotations": []},
        {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}},
        call,
    ]
    wire.invoke([AIMessage(blocks, tool_calls=[call]), ToolMessage("1", tool_call_id="c1")])
    said, _ = loopback.exchanges[-1].body["messages"]
    assert said["content"] == [{"type": "text", "text": "Well"}]
    assert [sent["function"]["name"] for sent in said["tool_calls"]] == ["add"]


@pytest.mark.parametrize(
    ("raised", "known_as"),
    [
        (errors.AuthenticationError, "ModelAuthenticationError"),
        (errors.BadRequestError, "ModelInvalidRequestError"),
        (errors.ContextOverflowError, "ContextOverflowError"),
        (errors.ModelConnectionError, "ModelConnectionError"),
        (errors.ModelTimeoutError, "ModelTimeoutError"),
        (errors.NotFoundError, "ModelNotFoundError"),
        (errors.RateLimitError, "ModelRateLimitError"),
        (errors.ServerError, "ModelAPIError"),
        (errors.MalformedReplyError, "ModelError"),
    ],
)
@METHODS
def test_errors_are_known_on_both_sides(
    raised: type[errors.ModelError], known_as: str, method: str
) -> None:
    """An error is of chatnb's class and of LangChain's, and says the same."""
    model = to_langchain(ScriptedChatModel([raised("No.", hint="Do it.", retry_after=2.0)]))
    with pytest.raises(raised) as caught:
        reply_of(model, method, "Hi")
    assert str(caught.value) == "No. Do it."
    assert isinstance(caught.value, getattr(theirs, known_as))
    assert caught.value.retry_after == 2.0


def test_a_broken_stream_keeps_what_had_come(loopback: LoopbackServer) -> None:
    """The partial reply is on the error."""
    loopback.plays(reset(head(), delta("Hel"), delta("lo")))
    model = to_langchain(ChatOpenAI("m", base_url=loopback.base_url, api_key="none"))
    with pytest.raises(errors.StreamInterruptedError) as caught:
        list(model.stream("Hi"))
    assert caught.value.partial == schema.AIMessage("Hello")


def test_langchain_falls_back_where_chatnb_fails(loopback: LoopbackServer) -> None:
    """LangChain's fallbacks and retries know the errors by langchain-core's classes."""
    loopback.plays(refusal("429 Too Many Requests", "Slow down."))
    busy = ChatOpenAI("m", base_url=loopback.base_url, api_key="none", max_retries=0)
    free = to_langchain(ScriptedChatModel(["Here."]))
    kinds = (theirs.ModelRateLimitError,)
    chain = to_langchain(busy).with_fallbacks([free], exceptions_to_handle=kinds)
    assert chain.invoke("Hi").content == "Here."


@pytest.mark.parametrize("method", ["stream", "astream"])
def test_leaving_a_stream_closes_the_connection(loopback: LoopbackServer, method: str) -> None:
    """A reader that stops reading stops the model."""
    loopback.plays(endless())
    model = to_langchain(ChatOpenAI("m", base_url=loopback.base_url, api_key="none"))

    async def first_word() -> None:
        chunks = model.astream("Hi")
        assert (await anext(chunks)).content == "word "
        await chunks.aclose()  # type: ignore[attr-defined]

    if method == "astream":
        asyncio.run(first_word())
    else:
        chunks = model.stream("Hi")
        assert next(chunks).content == "word "
        chunks.close()  # type: ignore[attr-defined]
    closed: threading.Event = loopback.exchanges[0].closed
    assert closed.wait(60)


def test_it_composes_with_langchain(wire: ChatnbChat) -> None:
    """Prompts before it, and LangChain's own counting of usage around it."""
    counting = UsageMetadataCallbackHandler()
    chain = ChatPromptTemplate.from_messages([("human", "Say {this}.")]) | wire
    assert chain.invoke({"this": "hello"}, {"callbacks": [counting]}).content == "Hello there."
    assert counting.usage_metadata["loopback-1"]["total_tokens"] == 12


class Counted(BaseChatModel):
    """Answers with its own setting, and keeps that it was asked."""

    model_name = "counted"

    def __init__(self, setting: str, asked: list[str]) -> None:
        self.setting = setting
        self._asked = asked

    def _generate(self, messages: list[schema.BaseMessage], **params: Any) -> schema.AIMessage:
        self._asked.append(self.setting)
        return schema.AIMessage(self.setting)


def test_langchain_s_cache_tells_chats_apart_by_their_settings() -> None:
    """Chats of other settings do not get each other's replies; those of the same ones do."""
    cache, asked = InMemoryCache(), list[str]()
    models = [to_langchain(Counted(setting, asked), cache=cache) for setting in ("a", "b", "a")]
    assert [model.invoke("Hi").content for model in models] == ["a", "b", "a"]
    assert asked == ["a", "b"]


def test_keys_stay_out_of_what_langchain_writes_down() -> None:
    """Neither traces nor caches nor reprs have the key, nor what else a setting may hold."""
    hidden = {"extra_headers": {"authorization": "sk-other-key"}}
    chat = ChatOpenAI("m", openai_api_key="sk-secret-key", model_kwargs=hidden)
    model = to_langchain(chat)
    written = f"{model._get_llm_string()} {model!r} {model.asdict()} {model._serialized}"
    assert "sk-" not in written


def test_chatnb_s_cache_serves_langchain() -> None:
    """A second call comes from the chat's own cache and costs nothing."""
    model = to_langchain(ScriptedChatModel(["one", "two"], cache=ReplyCache()))
    assert [model.invoke("Hi").content for _ in range(2)] == ["one", "one"]
    assert "".join(str(chunk.content) for chunk in model.stream("Hi")) == "one"


def test_mistakes_are_noticed() -> None:
    """Anything but a chatnb model, a parameter or a method is refused with what to write."""
    chat = ScriptedChatModel(["Hi."])
    with pytest.raises(TypeError, match="takes a chat model of chatnb, not str"):
        to_langchain("gpt-4o")  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="temprature"):
        to_langchain(chat, temprature=1)
    with pytest.raises(ValueError, match="json_schema, function_calling or json_mode"):
        to_langchain(chat).with_structured_output(Joke, method="jsn")  # type: ignore[arg-type]


def test_traces_say_who_answered() -> None:
    """LangSmith's standard parameters name the provider and the model."""
    model = to_langchain(ChatOpenAI("gpt-4o-mini", api_key="none"), temperature=0)
    standard = model._get_ls_params(model="other")
    assert standard == {
        "ls_provider": "openai",
        "ls_model_name": "other",
        "ls_model_type": "chat",
        "ls_temperature": 0.0,
    }


class Started(BaseCallbackHandler):
    """Keeps the parameters of each call."""

    def __init__(self) -> None:
        self.parameters = list[dict[str, Any]]()

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        self.parameters.append(kwargs["invocation_params"])


def test_handlers_of_langchain_are_told_which_model_it_is() -> None:
    """Its type names the chat model of chatnb, beside the parameters of the call."""
    started = Started()
    chat = ScriptedChatModel(["Hi."])
    to_langchain(chat, temperature=0).invoke("Hi", {"callbacks": [started]})
    [parameters] = started.parameters
    assert parameters["_type"] == "chatnb-ScriptedChatModel"
    assert (parameters["model_name"], parameters["temperature"]) == ("scripted", 0)
