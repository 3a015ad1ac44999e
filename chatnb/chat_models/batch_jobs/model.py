"""The method of chat models whose providers have a batch API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatnb.chat_models.sdk_model import Request, SdkChatModel
from chatnb.redaction import hide_in_options
from chatnb.schema.conversion import ChatInput
from chatnb.schema.messages import AIMessage, BaseMessage
from chatnb.tools.openai_schema import ToolLike

if TYPE_CHECKING:
    from chatnb.chat_models.batch_jobs.job import BatchJob
    from chatnb.chat_models.batch_jobs.protocol import BatchApi


class BatchChatModel(SdkChatModel):
    """The base of chat models whose provider answers batches of prompts at half price."""

    def submit(
        self,
        prompts: Sequence[ChatInput],
        *,
        stop: list[str] | None = None,
        tools: Sequence[ToolLike] = (),
        schema: Any = None,
        folder: str | Path | None = None,
        **params: Any,
    ) -> BatchJob:
        """Submit prompts to the provider's batch API, which answers within a day at half price.

        The job is on disk before the provider gets it, and its id before this method returns:
        `BatchJob.load(id)` finds it after a restart.

        Args:
            prompts: The prompts: texts, messages, lists of messages or prompt values.
            stop: Texts at which the model stops.
            tools: The tools that the model may call, as for `bind_tools`.
            schema: A type for the replies, as for `with_structured_output`; `job.parsed(schema)`
                returns its values.
            folder: The folder of the job's files; by default one in the user's data folder.
            **params: The provider's parameters for these calls.

        Returns:
            The job; `job.result()` waits for its `LLMResult`.

        Raises:
            ModelError: If the provider could not be reached, or refused the batch. The job is
                kept, and `BatchJob.load(id).resume()` submits it.
            ConfigurationError: If the provider has no batch API.
        """
        from chatnb.chat_models.batch_jobs.job import submit

        return submit(
            self,
            prompts,
            stop=stop,
            tools=tools,
            schema=schema,
            folder=folder,
            params=hide_in_options(params),
        )

    def batch_api(self) -> BatchApi:
        """Return the batch API of the provider."""
        client = self._clients.shared(self._new_client)
        errors = partial(self._mapped_errors, Request(self._endpoint({}), {}))
        return self._batch_api_class()(client, errors, self._sdk().error_response)

    def request_json(
        self, messages: list[BaseMessage], params: dict[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        """Return the path and the JSON of a request that does not stream."""
        request = self._request(messages, params)
        return request.endpoint.path, {k: v for k, v in request.sent.items() if k != "stream"}

    def replies_from_json(self, body: bytes) -> list[AIMessage]:
        """Return the replies in a response."""
        return self._endpoint({}).replies(body)

    def _batch_api_class(self) -> Callable[..., BatchApi]:
        raise NotImplementedError
