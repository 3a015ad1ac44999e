"""OpenAI's models on Azure, through the openai SDK's clients for it."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from chatnb.chat_models.needed_keys import key_or_stand_in
from chatnb.chat_models.openai import ChatOpenAI, Request
from chatnb.chat_models.rate_refusals import async_sdk_client, sdk_client
from chatnb.errors import ConfigurationError
from chatnb.runnables.loop_thread import package_loop
from chatnb.schema.messages import BaseMessage
from chatnb.testing.active import is_replaying

if TYPE_CHECKING:
    from openai import AsyncAzureOpenAI, AzureOpenAI
    from pydantic import SecretStr

TokenProvider: TypeAlias = "Callable[[], str] | Callable[[], Awaitable[str]]"
"""What gives a token of Microsoft Entra ID, fresh for each request."""

_NO_KEY = (
    "AzureChatOpenAI has no credentials. Set the environment variable AZURE_OPENAI_API_KEY or "
    "AZURE_OPENAI_AD_TOKEN; or pass api_key=, azure_ad_token= or azure_ad_token_provider=."
)
_TWO_KEYS = "Give one of api_key=, azure_ad_token= and azure_ad_token_provider=, not several."


class AzureChatOpenAI(ChatOpenAI):
    """A chat model in an Azure OpenAI resource.

    Args:
        model: What the model is, for counting tokens; the deployment's name unless given.
        azure_deployment: The deployment's name; the model's name unless given.
        azure_endpoint: The resource's address, such as `https://NAME.openai.azure.com`; without
            it the environment variable AZURE_OPENAI_ENDPOINT.
        api_version: The API's version; without it OPENAI_API_VERSION.
        api_key: The resource's key; without any credentials AZURE_OPENAI_API_KEY is read, then
            AZURE_OPENAI_AD_TOKEN.
        openai_api_key: The same.
        azure_ad_token: A token of Microsoft Entra ID.
        azure_ad_token_provider: A function, or a coroutine function, that gives such a token;
            it is asked before each request, and off the event loop if it blocks.
        **params: What else `ChatOpenAI` takes.

    Raises:
        MissingKeyError: If there are no credentials.
        ConfigurationError: If the deployment, the endpoint or the version is not given, or several
            credentials are.

    Example:
        >>> AzureChatOpenAI(
        ...     "gpt-4o",
        ...     azure_endpoint="https://example.openai.azure.com",
        ...     api_version="2024-10-21",
        ...     api_key="secret",
        ... )
        AzureChatOpenAI(model='gpt-4o')

    Source: https://learn.microsoft.com/azure/ai-foundry/openai/reference
    """

    provider = "azure"

    _key_variable = "AZURE_OPENAI_API_KEY"

    def __init__(
        self,
        model: str | None = None,
        *,
        azure_deployment: str | None = None,
        azure_endpoint: str | None = None,
        api_version: str | None = None,
        api_key: str | SecretStr | None = None,
        openai_api_key: str | SecretStr | None = None,
        azure_ad_token: str | SecretStr | None = None,
        azure_ad_token_provider: TokenProvider | None = None,
        **params: Any,
    ) -> None:
        model = model or params.pop("model_name", None)
        key = api_key or openai_api_key
        given = [each for each in (key, azure_ad_token, azure_ad_token_provider) if each]
        if len(given) > 1:
            raise ConfigurationError(_TWO_KEYS)
        if not given:
            key = os.environ.get("AZURE_OPENAI_API_KEY")
            azure_ad_token = None if key else os.environ.get("AZURE_OPENAI_AD_TOKEN")
        if not (azure_ad_token or azure_ad_token_provider):
            key = key_or_stand_in(key, _NO_KEY)
        self.azure_deployment = _needed("azure_deployment", azure_deployment or model)
        self.azure_endpoint = _needed(
            "azure_endpoint", azure_endpoint, variable="AZURE_OPENAI_ENDPOINT"
        )
        self.api_version = _needed("api_version", api_version, variable="OPENAI_API_VERSION")
        self._signs_in = not key
        self._token_provider = azure_ad_token_provider
        secret = key or azure_ad_token or "none"
        super().__init__(model or self.azure_deployment, openai_api_key=secret, **params)
        self.base_url = None

    def _request(self, messages: list[BaseMessage], params: dict[str, Any]) -> Request:
        return super()._request(messages, {"model": self.azure_deployment, **params})

    def _connection(self) -> dict[str, Any]:
        connection = super()._connection()
        del connection["base_url"]
        secret = connection.pop("api_key")
        credentials = {"azure_ad_token" if self._signs_in else "api_key": secret}
        return {
            **connection,
            **({} if self._token_provider else credentials),
            "azure_endpoint": self.azure_endpoint,
            "api_version": self.api_version,
        }

    def _new_client(self) -> AzureOpenAI:
        import openai

        provider = self._token_provider
        fetch = None if provider is None else lambda: _fetched(provider)
        connection = {**self._connection(), "azure_ad_token_provider": fetch}
        return sdk_client(openai, openai.AzureOpenAI, **connection)

    def _new_async_client(self) -> AsyncAzureOpenAI:
        import openai

        provider = self._token_provider
        fetch = None if provider is None else lambda: _afetched(provider)
        connection = {**self._connection(), "azure_ad_token_provider": fetch}
        return async_sdk_client(openai, openai.AsyncAzureOpenAI, **connection)


def _fetched(provider: TokenProvider) -> str:
    token = provider()
    if not inspect.isawaitable(token):
        return token

    async def wait() -> str:
        return await token

    return package_loop.run(wait())


async def _afetched(provider: TokenProvider) -> str:
    if inspect.iscoroutinefunction(provider):
        return await cast("Awaitable[str]", provider())
    token = await asyncio.to_thread(provider)
    return await token if inspect.isawaitable(token) else token


def _needed(name: str, value: str | None, *, variable: str = "") -> str:
    found = value or os.environ.get(variable, "")
    if not found and not is_replaying():
        also = f", or set the environment variable {variable}" if variable else ""
        raise ConfigurationError(f"AzureChatOpenAI needs {name}=...{also}.")
    return found
