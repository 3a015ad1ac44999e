"""Requests, structured output and replies between LangChain's form and chatnb's."""

from __future__ import annotations

import asyncio
from typing import Any

import langchain_core.messages as lc
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import (
    JsonOutputKeyToolsParser,
    PydanticToolsParser,
)
from pydantic import BaseModel

from chatnb.errors import MalformedReplyError
from chatnb.langchain.callbacks import adapt_handler
from chatnb.langchain.model_from_langchain import read_reply
from chatnb.langchain.requests import (
    canonical_tool_choice,
    canonical_tools,
    langchain_tool_choice,
)
from chatnb.langchain.structured_output import get_parser, response_format
from chatnb.langchain.tools import tool_to_langchain
from chatnb.schema import AIMessage
from chatnb.tools import Tool
from tests.support.traced_runs import chain, ended, model, replied

NAMED = {"type": "function", "function": {"name": "f"}}


class Joke(BaseModel):
    """A joke."""

    setup: str


@pytest.mark.parametrize(
    ("theirs", "canonical", "back"),
    [
        (NAMED, NAMED, "f"),
        ("f", NAMED, "f"),
        (True, "required", "any"),
        ("any", "required", "any"),
        ("required", "required", "any"),
        ("auto", "auto", "auto"),
        ("none", "none", "none"),
        ({"type": "web_search"}, {"type": "web_search"}, {"type": "web_search"}),
    ],
)
def test_a_choice_of_tools_goes_both_ways(theirs: Any, canonical: Any, back: Any) -> None:
    """A name, a word of LangChain's, and a dict of a provider's."""
    assert canonical_tool_choice(theirs) == canonical
    assert langchain_tool_choice(canonical) == back


@pytest.mark.parametrize("none", [None, False, ""])
def test_no_choice_is_none(none: Any) -> None:
    """The model may choose then."""
    assert canonical_tool_choice(none) is None


def test_tools_are_declared_as_openai_s() -> None:
    """Built-in tools stay as they are; `strict` closes the others."""
    search = {"type": "web_search", "size": 3}
    function = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    loose, strict = (canonical_tools([Joke, search, function], strict=s) for s in (None, True))
    assert loose[1] is strict[1] is search
    assert loose[0]["function"]["name"] == "Joke"
    assert loose[2]["function"]["name"] == "f"
    assert ("strict" in loose[0]["function"], strict[0]["function"]["strict"]) == (False, True)


SCHEMA = {"title": "Pun", "description": "A pun.", "type": "object", "properties": {"a": {}}}


@pytest.mark.parametrize(
    ("schema", "method", "kind"),
    [
        (Joke, "function_calling", PydanticToolsParser),
        (SCHEMA, "function_calling", JsonOutputKeyToolsParser),
        (Joke, "json_schema", PydanticOutputParser),
        (SCHEMA, "json_schema", JsonOutputParser),
        (SCHEMA, "json_mode", JsonOutputParser),
    ],
)
def test_an_answer_is_parsed_by_its_method(schema: Any, method: Any, kind: type) -> None:
    """Objects for a model of Pydantic, dicts for a schema; of calls the first."""
    parser: Any = get_parser(schema, method)
    assert type(parser) is kind
    if method == "function_calling":
        name = "Joke" if schema is Joke else "Pun"
        call: Any = {"name": name, "args": {"setup": "Why?"}, "id": "c1"}
        answer = parser.invoke(lc.AIMessage("", tool_calls=[call]))
        assert answer == (Joke(setup="Why?") if schema is Joke else {"setup": "Why?"})


def test_a_schema_is_asked_for_with_its_name() -> None:
    """And its description, and whether it is to the letter."""
    assert response_format(SCHEMA, "json_mode") == {"type": "json_object"}
    loose = response_format(SCHEMA, "json_schema")["json_schema"]
    assert (loose["name"], loose["description"], "strict" in loose) == ("Pun", "A pun.", False)
    assert loose["schema"]["properties"] == {"a": {}}
    assert response_format(Joke, "json_schema", strict=True)["json_schema"]["strict"] is True


@pytest.mark.parametrize(
    ("metadata", "calls", "reason"),
    [
        ({}, [], "stop"),
        ({}, [{"name": "f", "args": {}, "id": "c1"}], "tool_calls"),
        ({"finish_reason": "STOP"}, [], "stop"),
        ({"stop_reason": "end_turn"}, [], "stop"),
        ({"finish_reason": "FinishReason.MAX_TOKENS"}, [], "length"),
    ],
)
@pytest.mark.parametrize("kind", [lc.AIMessage, lc.AIMessageChunk])
def test_a_reply_has_openai_s_finish_reason(
    metadata: Any, calls: Any, reason: str, kind: Any
) -> None:
    """Of whole messages and of chunks, which become messages."""
    reply = read_reply(kind("a", response_metadata=metadata, tool_calls=calls))
    assert type(reply) is AIMessage
    assert reply.response_metadata["finish_reason"] == reason


def test_what_is_no_reply_says_what_to_give() -> None:
    """As of a chain that ends with a parser."""
    for output in ("text", lc.HumanMessage("a")):
        with pytest.raises(MalformedReplyError) as caught:
            read_reply(output)
        assert str(caught.value).startswith(
            f"The LangChain runnable gave {type(output).__name__}, not a model's message."
        )
        assert caught.value.hint == "Give from_langchain a chat model, without a parser behind it."


@pytest.mark.parametrize("response_format", ["content", "content_and_artifact"])
def test_a_tool_of_chatnb_s_runs_asynchronously(response_format: Any) -> None:
    """Its function may be either kind; LangChain's message has its content and artifact."""

    async def weigh(bird: str) -> Any:
        return (bird, [1]) if response_format == "content_and_artifact" else bird

    theirs = tool_to_langchain(Tool(weigh, response_format=response_format))
    call: Any = {"name": "weigh", "args": {"bird": "heron"}, "id": "c1", "type": "tool_call"}
    message = asyncio.run(theirs.ainvoke(call))
    artifact = [1] if response_format == "content_and_artifact" else None
    assert (message.content, message.artifact) == ("heron", artifact)


class Noting(BaseCallbackHandler):
    def __init__(self, **ignored: bool) -> None:
        self.noted = list[tuple[str, Any]]()
        self.ignored = ignored

    @property
    def ignore_llm(self) -> bool:
        return self.ignored.get("llm", False)

    @property
    def ignore_chain(self) -> bool:
        return self.ignored.get("chain", False)

    @property
    def ignore_chat_model(self) -> bool:
        return self.ignored.get("chat", False)

    def on_chain_start(self, serialized: Any, inputs: Any, **about: Any) -> None:
        self.noted.append(("chain", (serialized, inputs, about)))

    def on_chain_end(self, outputs: Any, **about: Any) -> None:
        self.noted.append(("chain end", outputs))

    def on_chain_error(self, error: BaseException, **about: Any) -> None:
        self.noted.append(("chain error", error))

    def on_chat_model_start(self, serialized: Any, messages: Any, **about: Any) -> None:
        self.noted.append(("model", messages))

    def on_llm_end(self, response: Any, **about: Any) -> None:
        self.noted.append(("model end", response))

    def on_llm_error(self, error: BaseException, **about: Any) -> None:
        self.noted.append(("model error", error))


def test_events_say_which_run_they_are_of() -> None:
    """The same id for the same run, whatever it is written as, and that of the run above."""
    handler = Noting()
    adapted = adapt_handler(handler)
    assert adapt_handler(handler) is adapted
    assert repr(adapted) == f"LangChainHandler({handler!r})"
    above = chain("0b0e7a8e-6e0a-4b0e-8f0e-1a2b3c4d5e6f", tags=["t"], metadata={"m": 1})
    adapted.on_start(above)
    adapted.on_start(chain("c2", above))
    (_, (serialized, inputs, about)), (_, (*_, below)) = handler.noted
    assert (serialized, inputs) == (
        {"name": "pipeline", "id": ["chatnb", "pipeline"]},
        {"topic": "secrets"},
    )
    assert str(about["run_id"]) == above.id
    assert (about["parent_run_id"], about["tags"], about["metadata"]) == (None, ["t"], {"m": 1})
    assert below["parent_run_id"] == about["run_id"] != below["run_id"]
    adapted.on_end(ended(above, 3))
    adapted.on_error(above)
    assert handler.noted[2] == ("chain end", 3)
    name, error = handler.noted[3]
    assert (name, type(error), str(error)) == ("chain error", RuntimeError, "The run failed.")


@pytest.mark.parametrize(
    ("ignored", "events"),
    [
        ({}, ["model", "model end", "model error", "chain", "chain error"]),
        ({"llm": True}, ["chain", "chain error"]),
        ({"chain": True}, ["model", "model end", "model error"]),
        ({"chat": True}, ["model end", "model error", "chain", "chain error"]),
    ],
)
def test_what_a_handler_ignores_it_does_not_get(ignored: Any, events: list[str]) -> None:
    """Neither its start nor its end, nor its failure."""
    handler = Noting(**ignored)
    adapted = adapt_handler(handler)
    adapted.on_start(model())
    adapted.on_end(replied(model()))
    adapted.on_error(model())
    adapted.on_start(chain())
    adapted.on_error(chain())
    assert [event for event, _ in handler.noted] == events
