"""Notebooks with what LangChain and the SDKs have taken on since: blocks, options, any model."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
from anthropic.types import TextBlock, ToolUseBlock

from chatnb.chat_models import ChatAnthropic, ChatOpenAI, init_chat_model
from chatnb.errors import ConfigurationError, ToolArgumentsError
from chatnb.runnables import ConfigurableField, Runnable
from chatnb.schema import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_openai_messages,
)
from chatnb.tools import InjectedToolCallId, StructuredTool, Tool, ToolException, tool
from tests.support import anthropic_events as anthropic
from tests.support.loopback import LoopbackServer, saying, whole

IMAGE: dict[str, Any] = {"type": "image", "url": "https://example.org/owl.png"}


def opened(loopback: LoopbackServer, **options: Any) -> ChatOpenAI:
    return ChatOpenAI("loopback-1", base_url=loopback.base_url, api_key="none", **options)


def weather(city: str) -> str:
    """Tell the weather."""
    return f"Sunny in {city}"


def body(loopback: LoopbackServer) -> dict[str, Any]:
    return loopback.exchanges[-1].body


def test_messages_of_standard_blocks(loopback: LoopbackServer) -> None:
    """Text, pictures, files and calls given as `content_blocks` are sent in OpenAI's form."""
    loopback.plays(whole("An owl."))
    call: dict[str, Any] = {"type": "tool_call", "name": "look", "args": {"at": "owl"}, "id": "c1"}
    pdf: dict[str, Any] = {
        "type": "file",
        "base64": "aGk=",
        "mime_type": "application/pdf",
        "filename": "a.pdf",
    }
    reply = opened(loopback).invoke(
        [
            SystemMessage(content_blocks=[{"type": "text", "text": "Be brief."}]),
            HumanMessage(content_blocks=[{"type": "text", "text": "And this?"}, IMAGE, pdf]),
            AIMessage(content_blocks=[{"type": "text", "text": "I look."}, call]),
            ToolMessage(content_blocks=[{"type": "text", "text": "It flew."}], tool_call_id="c1"),
        ]
    )
    system, user, asked, result = body(loopback)["messages"]
    assert system["content"] == [{"type": "text", "text": "Be brief."}]
    assert [part["type"] for part in user["content"]] == ["text", "image_url", "file"]
    assert asked["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at": "owl"}'}
    assert (result["role"], result["tool_call_id"]) == ("tool", "c1")
    assert reply.content_blocks == [{"type": "text", "text": "An owl."}]


@pytest.mark.parametrize(
    "message",
    [
        HumanMessage("Hi", id="1"),
        SystemMessage("Be brief."),
        AIMessage("", tool_calls=[{"name": "look", "args": {}, "id": "c1"}]),
        ToolMessage("An owl.", tool_call_id="c1", status="error"),
    ],
    ids=lambda message: message.type,
)
def test_a_dump_of_a_message_makes_it_again(message: BaseMessage) -> None:
    """`Message(**message.model_dump())` is the message, and another type is refused."""
    assert type(message)(**message.model_dump()) == message
    assert type(message).model_validate(message.model_dump()) == message
    with pytest.raises(TypeError, match="type"):
        type(message)(**{**message.model_dump(), "type": "other"})


def test_the_fields_of_the_sdk_on_both_models(loopback: LoopbackServer) -> None:
    """Every field of `create` is an argument of the model, and of a call."""
    fields: Any = {"service_tier": "flex", "safety_identifier": "u1", "prompt_cache_key": "k"}
    loopback.plays(whole("Yes."))
    opened(loopback, **fields, logit_bias={"5": 1}).invoke("Hi", verbosity="low", user="me")
    assert {**fields, "logit_bias": {"5": 1}, "verbosity": "low", "user": "me"}.items() <= body(
        loopback
    ).items()

    loopback.plays(anthropic.answering(anthropic.whole({"type": "text", "text": "Yes."})))
    given: Any = {"service_tier": "auto", "container": "c1", "inference_geo": "eu"}
    address = loopback.base_url.removesuffix("/v1")
    ChatAnthropic("claude-loopback", base_url=address, api_key="none", **given).invoke("Hi")
    assert given.items() <= body(loopback).items()


def test_the_loop_of_anthropic_s_sdk(loopback: LoopbackServer) -> None:
    """The objects in its `response.content` go into the history as they are."""
    loopback.plays(whole("It is sunny."))
    blocks = [
        TextBlock(type="text", text="I ask."),
        ToolUseBlock(type="tool_use", id="c1", name="weather", input={"city": "Oslo"}),
    ]
    answer: Any = {"role": "assistant", "content": blocks}
    result: Any = {"role": "tool", "tool_call_id": "c1", "content": "Sunny"}
    opened(loopback).invoke([{"role": "user", "content": "Oslo?"}, answer, result])
    sent = body(loopback)["messages"][1]
    assert sent["content"] == [{"type": "text", "text": "I ask."}]
    assert json.loads(sent["tool_calls"][0]["function"]["arguments"]) == {"city": "Oslo"}
    assert isinstance(blocks[0], TextBlock)


def test_tools_that_answer_for_their_errors() -> None:
    """Errors are raised, or answered by the text, the function or the error's own words."""

    @tool
    def divide(a: int, b: int) -> float:
        """Divide."""
        if b == 0:
            raise ToolException("Not by zero.")
        return a / b

    with pytest.raises(ToolException):
        divide.invoke({"a": 1, "b": 0})
    answers = {True: "Not by zero.", "Try again.": "Try again.", str: "Not by zero."}
    for handler, answer in answers.items():
        lenient = tool("divide", divide.func, handle_tool_error=handler)
        assert lenient.invoke({"a": 1, "b": 0}) == answer
    with pytest.raises(ToolArgumentsError):
        divide.invoke({"a": "one", "b": 1})
    checked = StructuredTool.from_function(divide.func, handle_validation_error="Numbers, please.")
    assert checked.invoke({"a": "one", "b": 1}) == "Numbers, please."


def test_a_tool_that_gets_the_id_of_its_call() -> None:
    """The id is filled in, and the model does not see the parameter."""

    @tool
    def note(text: str, id: Annotated[str, InjectedToolCallId]) -> ToolMessage:
        """Note a text."""
        return ToolMessage(text.upper(), tool_call_id=id)

    assert list(note.args) == ["text"]
    answer = note.invoke({"type": "tool_call", "name": "note", "args": {"text": "hi"}, "id": "c1"})
    assert (answer.content, answer.tool_call_id) == ("HI", "c1")


def test_a_tool_class_of_langchain_s_form_says_what_to_write() -> None:
    """A class with `_run` is refused where it is written, with the two forms that work."""
    with pytest.raises(TypeError, match=r"@tool.*from_function"):

        class Weather(Tool):
            name = "weather"

            def _run(self, city: str) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
                return city


def test_messages_as_openai_s_dicts_with_each_option() -> None:
    """Texts as strings or blocks, ids, and parts that OpenAI does not have."""
    messages = [HumanMessage("Hi", id="m1"), AIMessage([{"type": "text", "text": "Yes?"}])]
    assert convert_to_openai_messages(messages, text_format="string", include_id=True) == [
        {"role": "user", "content": "Hi", "id": "m1"},
        {"role": "assistant", "content": "Yes?"},
    ]
    blocks: Any = convert_to_openai_messages(messages, text_format="block")
    assert [message["content"][0]["text"] for message in blocks] == ["Hi", "Yes?"]
    strange = HumanMessage([{"type": "hologram", "of": "owl"}])
    passed: Any = convert_to_openai_messages([strange])
    assert passed[0]["content"] == [{"type": "hologram", "of": "owl"}]
    with pytest.raises(ValueError, match="hologram"):
        convert_to_openai_messages([strange], pass_through_unknown_blocks=False)


def test_a_model_that_the_config_chooses(loopback: LoopbackServer) -> None:
    """`init_chat_model()` without a name makes each run's model, with tools bound before."""
    loopback.plays(whole("Yes."))
    address = {"base_url": loopback.base_url, "api_key": "none"}
    any_model: Any = init_chat_model(**address, temperature=0.5)
    with_tools = any_model.bind_tools([weather], tool_choice="auto")
    with_tools.invoke("Hi", {"configurable": {"model": "openai:chosen", "other": 1}})
    sent = body(loopback)
    assert (sent["model"], sent["temperature"], sent["tool_choice"]) == ("chosen", 0.5, "auto")
    with pytest.raises(ConfigurationError, match="configurable"):
        with_tools.invoke("Hi")
    prefixed = init_chat_model(
        "openai:plain", configurable_fields=("temperature",), config_prefix="first", **address
    )
    configurable = {"first_temperature": 0.9, "first_model": "not-allowed", "temperature": 0}
    prefixed.invoke("Hi", {"configurable": configurable})
    sent = body(loopback)
    assert (sent["model"], sent["temperature"]) == ("plain", 0.9)
    large = init_chat_model("openai:large", **address)
    small = init_chat_model("small", model_provider="openai", **address)
    chat: Runnable[Any, Any] = large.configurable_alternatives(
        ConfigurableField("model"), default_key="large", small=small
    )
    models = list[str]()
    for config in ({}, {"model": "small"}, {"model": "large"}):
        chat.invoke("Hi", {"configurable": config})
        models.append(body(loopback)["model"])
    assert models == ["large", "small", "large"]
    hot = large.configurable_fields(temperature=ConfigurableField("heat"))
    hot.with_config({"configurable": {"heat": 0.9}}).invoke("Hi")
    assert body(loopback)["temperature"] == 0.9


def test_listeners_and_retries_by_langchain_s_names(loopback: LoopbackServer) -> None:
    """A listener reads `run_type` and `outputs`; retries take `exponential_jitter_params`."""
    failing = saying(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
    loopback.plays(failing, whole("Yes."))
    heard = list[tuple[str, str]]()

    def listen(run: Any) -> None:
        heard.append((run.run_type, run.outputs["generations"][0][0]["text"]))

    chat = opened(loopback, max_retries=0).with_listeners(on_end=listen)
    waiting = {"initial": 0.0, "max": 0.0, "exp_base": 2.0, "jitter": 0.0}
    assert chat.with_retry(exponential_jitter_params=waiting).invoke("Hi").text == "Yes."
    assert heard == [("llm", "Yes.")]
