"""OpenAI's models on Azure, through the openai SDK's clients for it."""

from __future__ import annotations

import inspect
import os
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from chatnb.cassettes.active import is_replaying
from chatnb.chat_models.openai.model import ChatOpenAI
from chatnb.chat_models.sdk_errors import Sdk
from chatnb.chat_models.sdk_model import Request
from chatnb.chat_models.wire.client_options import key_or_replay_key, secret
from chatnb.concurrency.portal import package_portal
from chatnb.concurrency.threads import in_thread
from chatnb.errors import ConfigurationError
from chatnb.redaction import SecretText, environment_secret
from chatnb.schema.messages import BaseMessage

if TYPE_CHECKING:
    from pydantic import SecretStr

TokenProvider: TypeAlias = "Callable[[], str] | Callable[[], Awaitable[str]]"
"""A function, asynchronous or not, that returns a token of Microsoft Entra ID."""

_NO_KEY = (
    "AzureChatOpenAI has no credentials. Set the environment variable AZURE_OPENAI_API_KEY or "
    "AZURE_OPENAI_AD_TOKEN; or pass api_key=, azure_ad_token= or azure_ad_token_provider=."
)
_TWO_KEYS = "Give one of api_key=, azure_ad_token= and azure_ad_token_provider=, not several."


class AzureChatOpenAI(ChatOpenAI):
    """A chat model in an Azure OpenAI resource.

    Args:
        model: The model's name, for counting tokens; defaults to the deployment's name.
        azure_deployment: The deployment's name; defaults to the model's name.
        azure_endpoint: The resource's address, such as `https://NAME.openai.azure.com`; without
            it the environment variable AZURE_OPENAI_ENDPOINT.
        api_version: The API's version; without it OPENAI_API_VERSION.
        api_key: The resource's key; without any credentials the environment variables
            AZURE_OPENAI_API_KEY, then AZURE_OPENAI_AD_TOKEN.
        openai_api_key: The same.
        azure_ad_token: A token of Microsoft Entra ID.
        azure_ad_token_provider: A function, or a coroutine function, that returns such a token;
            it is called before each request, never on the event loop if it may block.
        **params: Further arguments of `ChatOpenAI`.

    Raises:
        MissingKeyError: If there are no credentials.
        ConfigurationError: If the deployment, the endpoint or the version is missing, or several
            credentials are given.

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

    _saved_as: ClassVar[str] = "chatnb.chat_models.azure.AzureChatOpenAI"

    provider = "azure"

    _aliases: ClassVar[Mapping[str, str]] = {
        **ChatOpenAI._aliases,
        "deployment_name": "azure_deployment",
        "openai_api_version": "api_version",
    }
    _key_variable = "AZURE_OPENAI_API_KEY"
    _transport_parameters = ChatOpenAI._transport_parameters | {
        *("azure_ad_token", "azure_ad_token_provider", "azure_endpoint", "api_version"),
    }

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
        key, token = secret(api_key or openai_api_key), secret(azure_ad_token)
        model = model or params.pop("model_name", None)
        given = [value for value in (key, token, azure_ad_token_provider) if value]
        if len(given) > 1:
            raise ConfigurationError(_TWO_KEYS)
        if not given:
            key = secret(environment_secret("AZURE_OPENAI_API_KEY"))
            token = None if key else secret(environment_secret("AZURE_OPENAI_AD_TOKEN"))
        if not (token or azure_ad_token_provider):
            key = key_or_replay_key(key, _NO_KEY)
        self.azure_deployment = _required("azure_deployment", azure_deployment or model)
        self.azure_endpoint = _required(
            "azure_endpoint", azure_endpoint, variable="AZURE_OPENAI_ENDPOINT"
        )
        self.api_version = _required("api_version", api_version, variable="OPENAI_API_VERSION")
        self._uses_token = not key
        self._tokens = azure_ad_token_provider and TokenSource(azure_ad_token_provider)
        super().__init__(
            model or self.azure_deployment, openai_api_key=key or token or "none", **params
        )
        self.base_url = None

    def _sdk(self) -> Sdk:
        import openai

        tokens = self._tokens
        fetch, afetch = (tokens.fetch, tokens.afetch) if tokens else (None, None)
        return (
            super()
            ._sdk()
            ._replace(
                client=partial(openai.AzureOpenAI, azure_ad_token_provider=fetch),
                async_client=partial(openai.AsyncAzureOpenAI, azure_ad_token_provider=afetch),
            )
        )

    def _request(
        self, messages: list[BaseMessage], params: dict[str, Any], *, stream: bool = False
    ) -> Request:
        return super()._request(messages, {"model": self.azure_deployment, **params}, stream=stream)

    def _known_names(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        # A deployment may have any name.
        return (*super()._known_names(params), self.model_name)

    def _connection(self) -> dict[str, Any]:
        connection = super()._connection()
        del connection["base_url"]
        credentials = {"azure_ad_token" if self._uses_token else "api_key": connection["api_key"]}
        del connection["api_key"]
        return {
            **connection,
            **({} if self._tokens else credentials),
            "azure_endpoint": self.azure_endpoint,
            "api_version": self.api_version,
        }


class TokenSource:
    """Fetches tokens from a provider function, and keeps the last one, to redact it in errors."""

    def __init__(self, provider: TokenProvider) -> None:
        self._provider = provider
        self._last = SecretText()

    def __getstate__(self) -> dict[str, Any]:
        return {"_provider": self._provider, "_last": SecretText()}

    def get_secret_value(self) -> str:
        """Return the last token."""
        return self._last

    def fetch(self) -> str:
        """Return a token."""
        token = self._provider()
        if not inspect.isawaitable(token):
            return self._keep(token)

        async def wait() -> str:
            return self._keep(await token)

        return package_portal.run(wait())

    async def afetch(self) -> str:
        """Return a token without blocking."""
        if inspect.iscoroutinefunction(self._provider):
            return self._keep(await self._provider())
        token = await in_thread(self._provider)
        return self._keep(await token if inspect.isawaitable(token) else token)

    def _keep(self, token: object) -> str:
        token = getattr(token, "token", token)  # An AccessToken of azure-identity.
        if not isinstance(token, str):
            raise ConfigurationError(
                f"azure_ad_token_provider must return a token, not {type(token).__name__}."
            )
        self._last = SecretText(token)
        return self._last


def _required(name: str, value: str | None, *, variable: str = "") -> str:
    found = value or os.environ.get(variable, "")
    if not found and not is_replaying():
        also = f", or set the environment variable {variable}" if variable else ""
        raise ConfigurationError(f"AzureChatOpenAI needs {name}=...{also}.")
    return found
