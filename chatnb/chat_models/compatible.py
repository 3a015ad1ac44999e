"""Chat models of the providers in providers.toml, which speak OpenAI's chat completions."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from chatnb.chat_models.needed_keys import key_or_stand_in
from chatnb.chat_models.openai import ChatOpenAI
from chatnb.chat_models.openai_endpoints import CHAT_COMPLETIONS, RESPONSES, Endpoint
from chatnb.chat_models.openai_replies import replies_in
from chatnb.chat_models.openai_stream import ReplyDecoder
from chatnb.chat_models.providers import Provider, body_for, known_providers, parse_reply
from chatnb.errors import UnknownModelError

if TYPE_CHECKING:
    from pydantic import SecretStr

_NO_KEY = "none"
"""What the SDK is given for a server that asks for no key; it insists on one."""


class ChatCompatible(ChatOpenAI):
    """A chat model of another provider that speaks OpenAI's chat completions.

    Args:
        provider: The name of a row in providers.toml, such as `groq` or `ollama`.
        model: The model's name.
        base_url: Another address than the provider's, such as a server of your own.
        api_key: The key; without it the provider's environment variable is read.
        openai_api_key: The same.
        stream_usage: Take token counts of streams.
        **params: What else `ChatOpenAI` takes.

    Raises:
        MissingKeyError: If the provider asks for a key and there is none.
        UnknownModelError: If there is no such provider, or no model is named.

    Example:
        >>> ChatCompatible("ollama", "llama3.2", temperature=0)
        ChatCompatible(provider='ollama', model='llama3.2')
    """

    def __init__(
        self,
        provider: str,
        model: str | None = None,
        *,
        base_url: str | None = None,
        api_key: str | SecretStr | None = None,
        openai_api_key: str | SecretStr | None = None,
        stream_usage: bool = True,
        **params: Any,
    ) -> None:
        row = _row(provider)
        name = model or params.pop("model_name", None) or row.model
        if not name:
            raise UnknownModelError(f"Which model of {provider}? Write {provider}:MODEL.")
        self.provider = provider
        self._key_variable = row.key or "api_key="
        super().__init__(
            name,
            openai_api_key=api_key or openai_api_key or _key(row),
            base_url=base_url or row.base_url,
            stream_usage=stream_usage and row.usage == "asked",
            **params,
        )

    def __repr__(self) -> str:
        return f"ChatCompatible(provider={self.provider!r}, model={self.model_name!r})"

    @property
    def _endpoint(self) -> Endpoint:
        if self.use_responses_api:
            return RESPONSES
        row = _row(self.provider)
        parse = partial(parse_reply, row)
        return Endpoint(
            CHAT_COMPLETIONS.path,
            partial(body_for, row),
            partial(replies_in, parse=parse),
            partial(ReplyDecoder, parse),
        )


def _row(provider: str) -> Provider:
    row = known_providers().get(provider)
    if row is None:
        raise UnknownModelError(
            f"No provider is called {provider!r}. There are {', '.join(known_providers())}."
        )
    return row


def _key(row: Provider) -> str:
    if row.key is None:
        return _NO_KEY
    return key_or_stand_in(
        os.environ.get(row.key),
        f"{row.name} needs an API key. Set the environment variable {row.key}, or pass it as "
        f'init_chat_model("{row.name}:...", api_key="...").',
    )
