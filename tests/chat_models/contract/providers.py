"""Every provider as the contract tests see it: how to make its model, and what its server sends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chatnb.chat_models import (
    AzureChatOpenAI,
    BaseChatModel,
    ChatAnthropic,
    ChatOpenAI,
    init_chat_model,
)
from tests.support import anthropic_events as anthropic
from tests.support import responses_events as responses
from tests.support.loopback import Exchange, Script, delta, event, head, usage

KEY = "sk-very-secret-key"
CALL_ARGUMENTS = '{"city": "Paris"}'


@dataclass(frozen=True)
class Wire:
    """The wire format of a provider.

    Args:
        whole: The JSON of a whole reply with this text.
        start: The bytes that begin a stream.
        text: The bytes of a piece of text.
        end: The bytes that end a stream of a complete reply.
        call: The JSON of a whole reply that calls the tool `weather`.
        error: The JSON of an error response with this status and message.
        error_event: The bytes of an error within a stream.
    """

    whole: Callable[[str], dict[str, Any]]
    start: bytes
    text: Callable[[str], bytes]
    end: Callable[[str], bytes]
    call: dict[str, Any]
    error: Callable[[int, str], dict[str, Any]]
    error_event: Callable[[str], bytes]

    def reply(self, *pieces: str) -> Script:
        """Answer a request in the form that it asks for: whole, or as a stream."""

        async def script(exchange: Exchange) -> AsyncIterator[bytes]:
            if not exchange.body.get("stream"):
                yield _json_reply(self.whole("".join(pieces)))
                return
            yield head() + self.start
            for piece in pieces:
                yield self.text(piece)
            yield self.end("".join(pieces))

        return script

    def whole_reply(self, text: str) -> Script:
        """Answer with a whole reply, also to a request for a stream."""
        return _sending(_json_reply(self.whole(text)))

    def tool_call(self) -> Script:
        """Answer with a call of the tool `weather`."""
        return _sending(_json_reply(self.call))

    def refusal(self, status: str, message: str, **headers: str) -> Script:
        """Answer with an error response."""
        body = self.error(int(status[:3]), message)
        return _sending(_json_reply(body, status, **headers))

    def partial(self, *pieces: str, then: bytes = b"", torn: bool = False) -> Script:
        """Stream pieces of text, send some more bytes, and end without the end of a reply."""

        async def script(exchange: Exchange) -> AsyncIterator[bytes]:
            yield head() + self.start
            for piece in pieces:
                yield self.text(piece)
                await asyncio.sleep(0.01 if torn else 0)
            if then:
                yield then
            exchange.torn = torn

        return script

    def endless(self) -> Script:
        """Stream until the other side hangs up."""

        async def script(_: Exchange) -> AsyncIterator[bytes]:
            yield head() + self.start
            while True:
                yield self.text("word ")
                await asyncio.sleep(0.01)

        return script

    def stall(self, *pieces: str, is_done: bool = False) -> Script:
        """Stream pieces of text, or a whole reply, and then nothing more on an open line."""

        async def script(_: Exchange) -> AsyncIterator[bytes]:
            yield head() + self.start
            for piece in pieces:
                yield self.text(piece)
            if is_done:
                yield self.end("".join(pieces))
            await asyncio.sleep(30)

        return script


@dataclass(frozen=True)
class Provider:
    """A provider under test.

    Args:
        name: Its name in the tests.
        wire: Its wire format.
        make: Makes its model, given the address of the server and parameters.
    """

    name: str
    wire: Wire
    make: Callable[..., BaseChatModel]

    def model(self, base_url: str, **params: Any) -> BaseChatModel:
        """Make its model, with a key and without retries unless given."""
        return self.make(base_url, **{"max_retries": 0, **params})


def _json_reply(body: dict[str, Any], status: str = "200 OK", **headers: str) -> bytes:
    return head(status, "application/json", **headers) + json.dumps(body).encode()


def _sending(data: bytes) -> Script:
    async def script(_: Exchange) -> AsyncIterator[bytes]:
        yield data

    return script


def _chat_completion(message: dict[str, Any], finish_reason: str) -> dict[str, Any]:
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    counts = {"prompt_tokens": 8, "completion_tokens": 5, "total_tokens": 13}
    return {"id": "chatcmpl-1", "model": "loopback-1", "choices": [choice], "usage": counts}


CHAT_COMPLETIONS = Wire(
    whole=lambda text: _chat_completion({"role": "assistant", "content": text}, "stop"),
    start=delta(""),
    text=delta,
    end=lambda _: delta(None, "stop") + usage(8, 5) + event("[DONE]"),
    call=_chat_completion(
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": CALL_ARGUMENTS},
                }
            ],
        },
        "tool_calls",
    ),
    error=lambda _, message: {"error": {"message": message, "code": ""}},
    error_event=lambda message: event({"error": {"message": message}}),
)

_RESPONSE_USAGE = {"input_tokens": 8, "output_tokens": 5, "total_tokens": 13}


def _message_item(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {**responses.SAID, "content": [part]}


RESPONSES = Wire(
    whole=lambda text: responses.response(
        _message_item(text), usage=_RESPONSE_USAGE, model="loopback-1"
    ),
    start=responses.CREATED,
    text=responses.text,
    end=lambda text: (
        responses.done(_message_item(text))
        + responses.completed(_message_item(text), usage=_RESPONSE_USAGE, model="loopback-1")
    ),
    call=responses.response(responses.CALL, usage=_RESPONSE_USAGE, model="loopback-1"),
    error=lambda _, message: {"error": {"message": message, "code": ""}},
    error_event=lambda message: event(
        {"type": "error", "code": "server_error", "message": message}
    ),
)


# Source: https://platform.claude.com/docs/en/api/errors
_ANTHROPIC_ERRORS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
}


def _anthropic_end(_: str) -> bytes:
    return anthropic.sent(anthropic.closed(0), *anthropic.finish("end_turn"))


ANTHROPIC = Wire(
    whole=lambda text: anthropic.whole({"type": "text", "text": text}),
    start=anthropic.sent(anthropic.start(), anthropic.opened(0, "text", text="")),
    text=lambda text: anthropic.sent(anthropic.grown(0, "text_delta", text=text)),
    end=_anthropic_end,
    call=anthropic.whole(
        {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Paris"}},
        reason="tool_use",
    ),
    error=lambda status, message: anthropic.error(_ANTHROPIC_ERRORS[status], message),
    error_event=lambda message: anthropic.sent(anthropic.error("overloaded_error", message)),
)


def _openai(base_url: str, **params: Any) -> BaseChatModel:
    return ChatOpenAI("model-x", openai_api_key=KEY, base_url=base_url, **params)


def _responses(base_url: str, **params: Any) -> BaseChatModel:
    return _openai(base_url, use_responses_api=True, **params)


def _azure(base_url: str, **params: Any) -> BaseChatModel:
    return AzureChatOpenAI(
        azure_deployment="model-x",
        azure_endpoint=base_url.removesuffix("/v1"),
        api_version="2024-10-21",
        api_key=KEY,
        **params,
    )


def _azure_responses(base_url: str, **params: Any) -> BaseChatModel:
    return _azure(base_url, use_responses_api=True, **params)


def _anthropic(base_url: str, **params: Any) -> BaseChatModel:
    return ChatAnthropic("model-x", api_key=KEY, base_url=base_url, **params)


def _compatible(name: str) -> Callable[..., BaseChatModel]:
    def make(base_url: str, **params: Any) -> BaseChatModel:
        return init_chat_model(f"{name}:model-x", api_key=KEY, base_url=base_url, **params)

    return make


COMPATIBLE = (
    *("deepseek", "gemini", "groq", "llamacpp"),
    *("lmstudio", "mistral", "moonshot", "ollama", "openrouter", "perplexity", "vllm"),
)
PROVIDERS: Sequence[Provider] = (
    Provider("openai", CHAT_COMPLETIONS, _openai),
    Provider("openai-responses", RESPONSES, _responses),
    Provider("azure", CHAT_COMPLETIONS, _azure),
    Provider("azure-responses", RESPONSES, _azure_responses),
    Provider("anthropic", ANTHROPIC, _anthropic),
    *(Provider(name, CHAT_COMPLETIONS, _compatible(name)) for name in COMPATIBLE),
)
