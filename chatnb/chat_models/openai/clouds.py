"""Models on Amazon Bedrock and Google Vertex AI, through the openai SDK's own providers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from chatnb.chat_models.openai.azure import TokenSource
from chatnb.chat_models.openai.model import ChatOpenAI
from chatnb.chat_models.sdk_errors import Sdk
from chatnb.chat_models.wire.client_options import NO_KEY, secret
from chatnb.chat_models.wire.loop_clients import AsyncSdkClient, SdkClient
from chatnb.errors import ConfigurationError, MissingRuntimeError
from chatnb.redaction import environment_secret

if TYPE_CHECKING:
    from pydantic import SecretStr


class CloudChatOpenAI(ChatOpenAI):
    """The base of chat models behind a provider of the openai SDK."""

    _extra: ClassVar[str]  # The extra of openai with the cloud's own authentication.
    _module: ClassVar[str]  # The package that it installs.

    def _new_provider(self, providers: Any, *, is_async: bool) -> Any:
        raise NotImplementedError

    def _sdk(self) -> Sdk:
        return super()._sdk()._replace(provider=self._checked_provider)

    def _checked_provider(self, is_async: bool) -> Any:
        try:
            from openai import providers
        except ImportError as error:
            raise MissingRuntimeError(
                f"{type(self).__name__} needs a newer openai: pip install -U openai"
            ) from error
        return self._new_provider(providers, is_async=is_async)

    def _new_client(self) -> SdkClient:
        with _errors_of_configuration():
            return super()._new_client()

    def _new_async_client(self) -> AsyncSdkClient:
        with _errors_of_configuration():
            return super()._new_async_client()

    def _connection(self) -> dict[str, Any]:
        connection = super()._connection()
        for name in ("api_key", "base_url", "organization"):
            del connection[name]
        return connection

    def _check_installed(self) -> None:
        """Raise a MissingRuntimeError if the cloud's own authentication is not installed."""
        try:
            found = find_spec(self._module)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise MissingRuntimeError(
                f"{type(self).__name__} needs {self._module} for its credentials. Install it "
                f'with: pip install "openai[{self._extra}]"'
            )


class BedrockChatOpenAI(CloudChatOpenAI):
    """A chat model on Amazon Bedrock, which answers OpenAI's protocols.

    Without any credentials the SDK reads AWS_BEARER_TOKEN_BEDROCK, then AWS's own chain:
    environment variables, profiles and roles, for which `openai[bedrock]` is to be installed.

    Args:
        model: The model's id, such as `openai.gpt-oss-120b`.
        region: The AWS region; without it AWS_REGION.
        api_key: A key of Bedrock's API.
        token_provider: A function that returns such a key; it is called before each request.
        profile: The profile of AWS's configuration.
        credential_provider: A function that returns AWS credentials.
        endpoint: `mantle`, the default, or `runtime`.
        base_url: Another address.
        **params: Further arguments of `ChatOpenAI`.

    Raises:
        ConfigurationError: At the first call, if the region or the credentials do not fit.
        MissingRuntimeError: At the first call, if AWS's own credentials need a package.

    Example:
        >>> BedrockChatOpenAI("openai.gpt-oss-120b", region="us-west-2", api_key="secret")
        BedrockChatOpenAI(model='openai.gpt-oss-120b')
    """

    provider = "bedrock"

    _key_variable = "AWS_BEARER_TOKEN_BEDROCK"
    _extra = "bedrock"
    _module = "botocore"
    _transport_parameters = ChatOpenAI._transport_parameters | {
        *("region", "token_provider", "profile", "credential_provider", "endpoint")
    }
    _aliases: ClassVar[Mapping[str, str]] = {
        **ChatOpenAI._aliases,
        "region_name": "region",
        "credentials_profile_name": "profile",
    }

    def __init__(
        self,
        model: str,
        *,
        region: str | None = None,
        api_key: str | SecretStr | None = None,
        token_provider: Callable[[], str] | None = None,
        profile: str | None = None,
        credential_provider: Callable[[], Any] | None = None,
        endpoint: str | None = None,
        base_url: str | None = None,
        **params: Any,
    ) -> None:
        super().__init__(model, api_key=secret(api_key) or NO_KEY, base_url=base_url, **params)
        self.base_url = base_url
        self.region = region
        self.profile = profile
        self.endpoint = endpoint
        self._credential_provider = credential_provider
        self._tokens = token_provider and TokenSource(token_provider)

    def _new_provider(self, providers: Any, *, is_async: bool) -> Any:
        key = self.openai_api_key.get_secret_value()
        given = {
            "api_key": None if key == NO_KEY else key,
            "token_provider": self._tokens and self._tokens.fetch,
            "profile": self.profile,
            "credential_provider": self._credential_provider,
        }
        credentials = {name: value for name, value in given.items() if value is not None}
        if "profile" in credentials or not (credentials or environment_secret(self._key_variable)):
            self._check_installed()
        place = {"region": self.region, "endpoint": self.endpoint, "base_url": self.base_url}
        places = {name: value for name, value in place.items() if value is not None}
        return providers.bedrock(**places, **credentials)


class VertexChatOpenAI(CloudChatOpenAI):
    """A chat model of Google Vertex AI's publisher OpenAI, through the Responses API.

    Without `token_provider` and `credentials`, Google's application default credentials are used,
    for which `openai[vertex]` is to be installed.

    Args:
        model: The model's name.
        project: The project's id; without it GOOGLE_CLOUD_PROJECT.
        location: The location, such as `global`; without it GOOGLE_CLOUD_LOCATION.
        token_provider: A function, or a coroutine function, that returns a token; it is called
            before each request, never on the event loop if it may block.
        credentials: Credentials of google-auth.
        base_url: Another address.
        **params: Further arguments of `ChatOpenAI`.

    Raises:
        ConfigurationError: At the first call, if the project or the location is missing.
        MissingRuntimeError: At the first call, if Google's own credentials need a package.

    Example:
        >>> VertexChatOpenAI("gpt-oss-120b", project="my-project", location="global")
        VertexChatOpenAI(model='gpt-oss-120b')
    """

    provider = "vertex"

    _key_variable = "token_provider="
    _extra = "vertex"
    _module = "google.auth"
    _transport_parameters = ChatOpenAI._transport_parameters | {
        *("project", "location", "token_provider", "credentials")
    }

    def __init__(
        self,
        model: str,
        *,
        project: str | None = None,
        location: str | None = None,
        token_provider: Callable[[], str] | Callable[[], Awaitable[str]] | None = None,
        credentials: Any = None,
        base_url: str | None = None,
        **params: Any,
    ) -> None:
        if params.keys() & {"api_key", "openai_api_key"}:
            raise TypeError(
                "VertexChatOpenAI takes no API key, but Google's credentials: "
                "token_provider= or credentials="
            )
        params = {"use_responses_api": True, **params}
        super().__init__(model, api_key=NO_KEY, base_url=base_url, **params)
        self.base_url = base_url
        self.project = project
        self.location = location
        self._credentials = credentials
        self._tokens = token_provider and TokenSource(token_provider)

    def _new_provider(self, providers: Any, *, is_async: bool) -> Any:
        if self._tokens is None:
            self._check_installed()
        tokens = self._tokens
        return providers.vertex(
            project=self.project,
            location=self.location,
            base_url=self.base_url,
            token_provider=tokens and (tokens.afetch if is_async else tokens.fetch),
            credentials=self._credentials,
        )


@contextmanager
def _errors_of_configuration() -> Generator[None]:
    from openai import OpenAIError

    try:
        yield
    except OpenAIError as error:
        raise ConfigurationError(str(error)) from error
