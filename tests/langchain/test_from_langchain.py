from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httpx2
import openai
import pytest
from IPython.core.interactiveshell import InteractiveShell
from langchain_core import exceptions as theirs
from langchain_core.language_models import BaseChatModel as TheirChatModel
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field, SecretStr

from chatnb import errors, schema
from chatnb.chat_models import ChatOpenAI, ScriptedChatModel
from chatnb.chat_models.cache import InMemoryCache
from chatnb.langchain import from_langchain, to_langchain
from chatnb.notebook import register
from tests.support.langchain_wire_model import answering
from tests.support.loopback import LoopbackServer

METHODS = pytest.mark.parametrize("method", ["invoke", "ainvoke", "stream", "astream"])
STREAMS = pytest.mark.parametrize("method", ["stream", "astream"])


class Told(TheirChatModel):
    """A LangChain chat model that says what it is told to, and keeps what it was asked."""

    model: str = "told"
    says: Sequence[Any] = ("Hi.",)
    key: SecretStr = SecretStr("lc-secret-key")
    asked: list[tuple[list[BaseMessage], dict[str, Any]]] = Field(default_factory=list)
    closed: list[str] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "told"

    def _chunks(self, messages: list[BaseMessage], **kwargs: Any) -> Iterator[AIMessageChunk]:
        self.asked.append((messages, kwargs))
        for said in self.says:
            if isinstance(said, Exception):
                raise said
            yield AIMessageChunk(content=said) if isinstance(said, str) else said

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any):  # type: ignore[no-untyped-def]
        first, *rest = self._chunks(messages, stop=stop, **kwargs)
        whole = sum(rest, first)
        message = AIMessage(**whole.model_dump(exclude={"type", "tool_call_chunks"}))
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        try:
            for chunk in self._chunks(messages, stop=stop, **kwargs):
                yield ChatGenerationChunk(message=chunk)
        finally:
            self.closed.append("closed")

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        try:
            for chunk in self._chunks(messages, stop=stop, **kwargs):
                yield ChatGenerationChunk(message=chunk)
        finally:
            self.closed.append("closed")

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(bound_tools=tools, **kwargs)


def told(*says: Any) -> Told:
    return Told(says=says)


def reply_of(chat: Any, method: str, input: Any = "Hi", **params: Any) -> schema.AIMessage:
    """The whole reply, by any method."""

    async def gathered() -> list[Any]:
        if method == "ainvoke":
            return [await chat.ainvoke(input, **params)]
        return [chunk async for chunk in chat.astream(input, **params)]

    if method.startswith("a"):
        said = asyncio.run(gathered())
    else:
        given = getattr(chat, method)(input, **params)
        said = [given] if method == "invoke" else list(given)
    return said[0] if method.endswith("invoke") else sum(said).to_message()


def counted(input_tokens: int, output_tokens: int, **details: Any) -> dict[str, Any]:
    total = input_tokens + output_tokens
    counts = {"input_tokens": input_tokens, "output_tokens": output_tokens, "total_tokens": total}
    return {**counts, **details}


@METHODS
def test_a_reply_comes_through(method: str) -> None:
    """Text, usage, metadata and id are those of the LangChain model, by every method."""
    read = AIMessageChunk(
        content="Hel",
        id="m1",
        usage_metadata=counted(7, 1, input_token_details={"cache_read": 5}),  # type: ignore[arg-type]
    )
    rest = AIMessageChunk(
        content="lo",
        usage_metadata=counted(0, 3, output_token_details={"reasoning": 2}),  # type: ignore[arg-type]
        response_metadata={"stop_reason": "max_tokens", "model_name": "told-1"},
    )
    reply = reply_of(from_langchain(told(read, rest)), method)
    assert (reply.content, reply.id) == ("Hello", "m1")
    assert reply.usage_metadata == counted(
        7, 4, input_token_details={"cached": 5}, output_token_details={"reasoning": 2}
    )
    assert reply.response_metadata == {
        "stop_reason": "max_tokens",
        "model_name": "told-1",
        "finish_reason": "length",
    }


@STREAMS
def test_a_stream_streams(method: str) -> None:
    """Chunks come as the model says them, with running totals of usage."""
    pieces = [AIMessageChunk(content=t, usage_metadata=counted(0, 1)) for t in "abc"]  # type: ignore[arg-type]
    chat = from_langchain(told(*pieces))

    async def gathered() -> list[schema.AIMessageChunk]:
        return [chunk async for chunk in chat.astream("Hi")]

    chunks = list(chat.stream("Hi")) if method == "stream" else asyncio.run(gathered())
    assert [chunk.content for chunk in chunks if chunk.content] == ["a", "b", "c"]
    totals = [chunk.usage_metadata["output_tokens"] for chunk in chunks if chunk.usage_metadata]
    assert totals == [1, 2, 3]


@METHODS
def test_tool_calls_come_through(method: str) -> None:
    """A call in pieces is one call, also without arguments, and without OpenAI's finish reason."""
    named = {"name": "now", "args": "", "id": "c1", "index": 0}
    pieces = [
        AIMessageChunk(content="", tool_call_chunks=[named]),  # type: ignore[list-item]
        AIMessageChunk(content="", response_metadata={"stop_reason": "tool_use"}),
    ]
    reply = reply_of(from_langchain(told(*pieces)), method)
    assert reply.tool_calls == [{"name": "now", "args": {}, "id": "c1", "type": "tool_call"}]
    assert reply.invalid_tool_calls == []
    assert reply.response_metadata["finish_reason"] == "tool_calls"


@METHODS
def test_a_model_without_streams_gives_one_chunk(method: str) -> None:
    """LangChain's stream of such a model is a whole message, calls and all."""

    class Whole(FakeListChatModel):
        disable_streaming: Any = True

    assert reply_of(from_langchain(Whole(responses=["Hello."])), method).content == "Hello."


@METHODS
def test_the_request_reaches_the_model(method: str) -> None:
    """Messages are LangChain's, parameters and stop texts arguments; None says nothing."""
    model = told("one. two.")
    reply = reply_of(
        from_langchain(model),
        method,
        [("system", "Be brief."), "Hi"],
        stop=["two"],
        seed=1,
        top_p=None,
    )
    messages, arguments = model.asked[-1]
    assert [message.type for message in messages] == ["system", "human"]
    assert arguments == {"stop": ["two"], "seed": 1}
    assert reply.content == "one. "


@pytest.mark.parametrize(
    ("choice", "understood"),
    [
        ("required", "any"),
        ("auto", "auto"),
        ({"type": "function", "function": {"name": "add"}}, "add"),
    ],
)
@METHODS
def test_tools_go_through_bind_tools(method: str, choice: Any, understood: str) -> None:
    """OpenAI's tools and choice become what every LangChain model understands."""
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
    model = told("Hi.")
    reply_of(
        from_langchain(model), method, tools=[tool], tool_choice=choice, parallel_tool_calls=False
    )
    assert model.asked[-1][1] == {
        "stop": None,
        "bound_tools": [tool],
        "tool_choice": understood,
        "parallel_tool_calls": False,
    }


def test_what_wraps_a_model_keeps_its_own_arguments() -> None:
    """`bind` and `with_retry` hold, also where a call has tools."""
    model = told("Hi.")
    chat = from_langchain(model.bind(seed=3).with_retry(stop_after_attempt=2))
    chat.invoke("Hi", tools=[{"type": "x"}])
    assert model.asked[-1][1] == {"stop": None, "seed": 3, "bound_tools": [{"type": "x"}]}
    assert chat.model_name == "told"


def test_fallbacks_get_the_tools_too(loopback: LoopbackServer) -> None:
    """After a first model that fails, the next one is asked with the same tools."""
    loopback.plays(answering)
    busy = to_langchain(ScriptedChatModel([errors.RateLimitError("Slow down.")]))
    wire = to_langchain(ChatOpenAI("loopback-1", base_url=loopback.base_url, api_key="none"))
    chat = from_langchain(busy.with_fallbacks([wire]))
    tool = {"type": "function", "function": {"name": "my_adder_tool", "parameters": {}}}
    reply = chat.invoke("Hi", tools=[tool], tool_choice="required")
    assert [call["name"] for call in reply.tool_calls] == ["my_adder_tool"]
    assert chat.model_name == "scripted"


def test_chatnb_s_own_methods_work_on_it(loopback: LoopbackServer) -> None:
    """bind_tools and with_structured_output of chatnb ask a LangChain model, here one on a wire."""
    loopback.plays(answering)
    wire = to_langchain(ChatOpenAI("loopback-1", base_url=loopback.base_url, api_key="none"))
    chat = from_langchain(wire)

    def magic_function(input: int) -> int:
        """Do magic."""
        return input

    reply = chat.bind_tools([magic_function], tool_choice="magic_function").invoke("Hi")
    assert [call["args"] for call in reply.tool_calls] == [{"input": 3}]  # type: ignore[attr-defined]
    wanted = {"title": "Joke", "type": "object", "properties": {"setup": {"type": "string"}}}
    joke = chat.with_structured_output(wanted).invoke("Joke!")
    assert joke["setup"].startswith("Why")
    assert loopback.exchanges[-1].body["response_format"]["type"] == "json_schema"


def status_error(status: int, message: str) -> openai.APIStatusError:
    """An error of OpenAI's SDK, as integrations before langchain-core 1.7 pass it on."""
    request = httpx2.Request("POST", "http://example.org")
    headers = {"x-request-id": "r1", "retry-after": "3"} if status == 429 else {}
    response = httpx2.Response(status, request=request, headers=headers)
    return openai.APIStatusError(message, response=response, body={"message": message})


class LimitError(theirs.ModelRateLimitError):
    """An integration's own error of langchain-core's kind."""


class ConnectError(Exception):
    """The name that HTTP libraries give it."""


FAILURES: dict[type[errors.ModelError], Exception] = {
    errors.AuthenticationError: status_error(401, "No such key."),
    errors.BadRequestError: TypeError("unexpected keyword argument 'seed'"),
    errors.ContextOverflowError: theirs.ContextOverflowError("Too long."),
    errors.ModelConnectionError: ConnectError("No route."),
    errors.ModelError: RuntimeError("Odd."),
    errors.ModelTimeoutError: TimeoutError("60 s are over."),
    errors.NotFoundError: theirs.ModelNotFoundError("No such model."),
    errors.RateLimitError: LimitError("Slow down."),
    errors.ServerError: status_error(503, "Overloaded."),
}


@pytest.mark.parametrize("kind", FAILURES)
@METHODS
def test_errors_are_chatnb_s(method: str, kind: type[errors.ModelError]) -> None:
    """An error of the model is a ModelError of its kind, in its words, with the cause."""
    failure = FAILURES[kind]
    with pytest.raises(errors.ModelError, match=str(failure)[:12]) as caught:
        reply_of(from_langchain(told(failure)), method)
    assert type(caught.value).__name__ == kind.__name__
    assert isinstance(caught.value, kind)
    if type(failure).__module__ == "openai":  # Code for the SDK catches it as well.
        assert isinstance(caught.value, type(failure))
    assert repr(caught.value.__cause__) == repr(failure)
    assert caught.value.partial is None


def test_a_refusal_keeps_its_details() -> None:
    """Status, request id and the time to wait are on the error."""
    with pytest.raises(errors.RateLimitError) as caught:
        from_langchain(told(status_error(429, "Slow down."))).invoke("Hi")
    error = caught.value
    assert (error.status, error.request_id, error.retry_after) == (429, "r1", 3.0)
    assert "wait 3 s" in str(error)


@STREAMS
def test_a_broken_stream_keeps_what_had_come(method: str) -> None:
    """A connection that is lost in mid-reply is a reply that broke off."""
    with pytest.raises(errors.StreamInterruptedError) as caught:
        reply_of(from_langchain(told("Hel", "lo", ConnectError("Lost."))), method)
    assert caught.value.partial is not None
    assert caught.value.partial.content == "Hello"


@METHODS
def test_keys_stay_out_of_errors(method: str) -> None:
    """A key that the provider repeats is blotted out, in the cause as well."""
    failure = RuntimeError("Bad key lc-secret-key.")
    with pytest.raises(errors.ModelError) as caught:
        reply_of(from_langchain(told(failure).bind(seed=1)), method)
    assert "lc-secret-key" not in f"{caught.value} {caught.value.__cause__}"


def test_chatnb_s_own_errors_pass() -> None:
    """There and back again, an error is what it was."""
    limited = errors.RateLimitError("Slow down.", retry_after=2.0)
    chat = from_langchain(to_langchain(ScriptedChatModel([limited])))
    with pytest.raises(errors.RateLimitError, match="Slow down") as caught:
        chat.invoke("Hi")
    assert caught.value.retry_after == 2.0


@STREAMS
def test_leaving_a_stream_leaves_the_model_s(method: str) -> None:
    """The LangChain model's own stream is closed at once."""
    model = told("a", "b")
    chat = from_langchain(model)

    async def first_word() -> None:
        chunks = chat.astream("Hi")
        await anext(chunks)
        await chunks.aclose()
        assert model.closed == ["closed"]

    if method == "astream":
        asyncio.run(first_word())
        return
    chunks = chat.stream("Hi")
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    assert model.closed == ["closed"]


def test_the_cache_tells_models_apart() -> None:
    """Two LangChain models share a cache, but no reply."""
    cache = InMemoryCache()
    for word in ("one", "two", "one"):
        chat = from_langchain(FakeListChatModel(responses=[word]), cache=cache)
        assert chat.invoke("Hi").content == word


def test_what_is_no_chat_model_says_so() -> None:
    """Neither a name, nor a chain that ends in a parser, nor a model without tools will do."""
    with pytest.raises(TypeError, match="takes a chat model of LangChain's, not str"):
        from_langchain("gpt-4o")  # type: ignore[arg-type]
    with pytest.raises(errors.MalformedReplyError, match="without a parser behind it"):
        from_langchain(told("Hi.") | StrOutputParser()).invoke("Hi")
    with pytest.raises(errors.BadRequestError):
        from_langchain(FakeListChatModel(responses=["Hi."])).invoke("Hi", tools=[{"type": "x"}])


def test_a_cell_takes_a_langchain_model_from_a_variable(
    bare_shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """`%%chat -m VARIABLE` goes on with a conversation on a LangChain model as it is."""
    register(bare_shell)
    usage = AIMessageChunk(content="", usage_metadata=counted(7, 2))  # type: ignore[arg-type]
    model = told("Hello", " there.", usage)
    bare_shell.push({"model": model, "bound": model.bind(seed=1)})
    bare_shell.run_cell("%%chat -m model -t 0.5\nHi")
    bare_shell.run_cell("%%chat -m bound\nAnd?")
    reply, facts, *_ = capsys.readouterr().out.splitlines()
    assert reply == "Hello there."
    assert facts.startswith("told · ")
    assert "7 tokens in, 2 out" in facts
    messages, arguments = model.asked[-1]
    assert [message.text for message in messages] == ["Hi", "Hello there.", "And?"]
    assert isinstance(messages[0], HumanMessage)
    assert model.asked[0][1]["temperature"] == 0.5
    assert arguments["seed"] == 1


LAZY = """
import sys
import chatnb, chatnb.langchain, chatnb.notebook.session
assert not [name for name in sys.modules if name.startswith(("langchain_core", "langsmith"))]
"""
MISSING = """
import sys
sys.modules["langchain_core"] = None
from chatnb.errors import MissingRuntimeError
for name in ("to_langchain", "from_langchain", "message_to_langchain"):
    try:
        getattr(__import__("chatnb.langchain", fromlist=[name]), name)
    except MissingRuntimeError as error:
        assert 'pip install "chatnb[langchain]"' in str(error)
    else:
        raise AssertionError(name)
"""


@pytest.mark.process
@pytest.mark.parametrize("script", [LAZY, MISSING])
def test_langchain_is_loaded_when_it_is_used(script: str) -> None:
    """Importing chatnb loads no LangChain; without it the error says what to install."""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("abort", errors.StreamInterruptedError),
        ("FinishReason.SAFETY", errors.ContentFilterError),
        ("error", errors.ServerError),
    ],
)
def test_a_bad_ending_is_an_error(reason: str, error: type[errors.ModelError]) -> None:
    """A reply of LangChain's that did not end well raises, whole or streamed."""
    end = AIMessageChunk(content="lf", response_metadata={"finish_reason": reason})
    chat = from_langchain(Told(says=["ha", end]))
    for ask in (chat.invoke, lambda text: list(chat.stream(text))):
        with pytest.raises(error) as raised:
            ask("Hi")
        assert raised.value.partial is not None
        assert raised.value.partial.text == "half"
