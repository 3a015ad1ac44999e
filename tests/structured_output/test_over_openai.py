from __future__ import annotations

import json
from typing import Any

import pytest

from chatnb.chat_models import ChatOpenAI
from chatnb.errors import ContentFilterError, StructuredOutputError
from tests.support.loopback import LoopbackServer, Script, delta, event, head, saying, whole
from tests.support.structured_replies import Person, answer, both, growing, last_grown

ARGUMENTS = '{"name": "Ann", "age": 7, "mood": "sad"}'
ANN = Person(name="Ann", age=7, mood="sad")
HOW = ["invoked", "streamed"]


def asked(server: LoopbackServer, **options: Any) -> Any:
    chat = ChatOpenAI("gpt-test", api_key="sk-test-1234567890", base_url=server.base_url)
    return chat.with_structured_output(Person, **options)


def told(chat: Any, how: str, way: str) -> Any:
    return (answer if how == "invoked" else last_grown)(chat, "Who?", way)


def choice(delta: dict[str, Any], finish: str | None = None) -> bytes:
    said = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return event({"id": "chatcmpl-1", "model": "gpt-test", "choices": [said]})


def streaming(*deltas: dict[str, Any], finish: str = "stop") -> Script:
    """A streamed reply as the API reference describes it."""
    begin = choice({"role": "assistant", "content": None, "refusal": None})
    pieces = map(choice, deltas)
    return saying(head(), begin, *pieces, choice({}, finish), event("[DONE]"))


def replying(message: dict[str, Any], finish: str = "stop") -> Script:
    """A whole reply as the API reference describes it."""
    said = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    reply = {"id": "chatcmpl-1", "model": "gpt-test", "choices": [said]}
    return saying(head(kind="application/json") + json.dumps(reply).encode())


def call(arguments: str, **opening: Any) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": "Person"} if opening else {})}
    return {"tool_calls": [{"index": 0, **opening, "function": function}]}


def tool_call(how: str, arguments: str = ARGUMENTS, finish: str = "stop") -> Script:
    if how == "invoked":
        return replying({"content": None, **call(arguments, id="call_1", type="function")}, finish)
    pieces = [arguments[start : start + 5] for start in range(0, len(arguments), 5)]
    opening = call("", id="call_1", type="function")
    return streaming(opening, *map(call, pieces), finish=finish)


@both
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("finish", ["stop", "tool_calls"])
def test_tools_are_called_over_the_wire(
    loopback: LoopbackServer, how: str, way: str, finish: str
) -> None:
    """The request binds and forces one tool; the arguments of the call are the answer."""
    loopback.plays(tool_call(how, finish=finish))
    assert told(asked(loopback, method="tools", strict=True), how, way) == ANN
    body = loopback.exchanges[0].body
    assert [tool["function"]["name"] for tool in body["tools"]] == ["Person"]
    assert body["tools"][0]["function"]["strict"] is True
    assert body["tool_choice"]["function"] == {"name": "Person"}


@both
def test_arguments_grow_while_they_are_streamed(loopback: LoopbackServer, way: str) -> None:
    """Partial objects come from the pieces of the call."""
    loopback.plays(tool_call("streamed"))
    people = growing(asked(loopback, method="tools"), "Who?", way)
    assert len(people) > 4
    assert people[0] == Person.model_construct(name=None, age=None)
    assert (people[2].name, people[2].age, people[2].mood) == ("Ann", None, "happy")


@both
@pytest.mark.parametrize("how", HOW)
def test_arguments_that_are_cut_off_are_an_error(
    loopback: LoopbackServer, how: str, way: str
) -> None:
    """The error has the arguments as far as they came, and the hint says why."""
    loopback.plays(tool_call(how, ARGUMENTS[:20], finish="length"))
    with pytest.raises(StructuredOutputError, match="was cut off at its token limit") as caught:
        told(asked(loopback, method="tools"), how, way)
    assert caught.value.text == ARGUMENTS[:20]
    assert caught.value.raw is not None
    assert caught.value.raw.id == "chatcmpl-1"


@both
@pytest.mark.parametrize("how", HOW)
def test_a_refusal_over_the_wire(loopback: LoopbackServer, how: str, way: str) -> None:
    """The model's own words are in the error; with include_raw it is not raised."""
    words = ["I'm sorry, ", "I cannot."]
    refused = replying({"content": None, "refusal": "".join(words)})
    streamed = streaming(*({"refusal": word} for word in words))
    loopback.plays(refused if how == "invoked" else streamed)
    with pytest.raises(ContentFilterError, match="refused to answer: I'm sorry, I cannot"):
        told(asked(loopback, strict=True), how, way)
    reply = told(asked(loopback, strict=True, include_raw=True), how, way)
    assert reply["raw"].additional_kwargs == {"refusal": "I'm sorry, I cannot."}
    assert reply["parsed"] is None
    assert isinstance(reply["parsing_error"], ContentFilterError)


@both
def test_a_schema_goes_over_the_wire(loopback: LoopbackServer, way: str) -> None:
    """As `response_format`, closed for strict mode, with the streamed JSON as the answer."""
    loopback.plays(saying(head(), *map(delta, ARGUMENTS), delta(None, "stop"), event("[DONE]")))
    assert growing(asked(loopback, strict=True), "Who?", way)[-1] == ANN
    sent = loopback.exchanges[0].body["response_format"]["json_schema"]
    assert (sent["name"], sent["strict"]) == ("Person", True)
    assert sent["schema"]["additionalProperties"] is False


@both
def test_a_repair_goes_over_the_wire(loopback: LoopbackServer, way: str) -> None:
    """The call that was wrong is answered by a tool message, as the protocol demands."""
    wrong = tool_call("invoked", '{"name": "Ann", "age": 700}')
    loopback.plays(wrong, tool_call("invoked"))
    assert answer(asked(loopback, method="tools", repair=1), "Who?", way) == ANN
    user, assistant, complaint = loopback.exchanges[1].body["messages"]
    assert user["role"] == "user"
    assert assistant["tool_calls"][0]["id"] == complaint["tool_call_id"] == "call_1"
    assert complaint["role"] == "tool"
    assert "age: Input should be" in complaint["content"]


@both
def test_json_mode_goes_over_the_wire(loopback: LoopbackServer, way: str) -> None:
    """With the word JSON in the messages, without which OpenAI refuses it."""
    loopback.plays(whole(ARGUMENTS))
    assert answer(asked(loopback, method="json_mode"), "Who?", way) == ANN
    body = loopback.exchanges[0].body
    assert body["response_format"] == {"type": "json_object"}
    assert "JSON" in body["messages"][0]["content"]
