"""The parts of a batch API that a provider supplies, and of a chat model that a job needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from chatnb.errors import ModelError
from chatnb.schema.messages import AIMessage, BaseMessage

Line = dict[str, Any]
NOT_SUBMITTED = "not submitted"
CLOCK_SECONDS = 600
"""The seconds by which the clocks of a provider and of this machine may differ."""


@dataclass
class PartState:
    """The state of a part of a job, by the provider's status."""

    status: str = NOT_SUBMITTED
    completed: int = 0
    failed: int = 0
    ended: bool = False


class BatchApi(ABC):
    """The batch API of a provider, by way of its SDK's client."""

    max_requests: ClassVar[int]
    max_bytes: ClassVar[int]

    def __init__(
        self,
        client: Any,
        errors: Callable[[], AbstractContextManager[Any]],  # It maps the SDK's errors.
        error_response: Callable[..., ModelError],
    ) -> None:
        self._client = client
        self._errors = errors
        self._error_response = error_response

    @abstractmethod
    def line(self, custom_id: str, path: str, body: dict[str, Any]) -> Line:
        """Return a request as a line of a batch."""

    @abstractmethod
    def create(self, lines: Sequence[str], note: str) -> str:
        """Submit a batch of JSON lines, and return its id."""

    @abstractmethod
    def find(self, note: str, count: int, since: float, taken: Collection[str]) -> str | None:
        """Return the id of a batch that was submitted, though its id was not received.

        Args:
            note: The note that `create` was given.
            count: The number of its requests.
            since: The time of the job, in seconds since 1970.
            taken: The ids of batches that are known to be others.
        """

    @abstractmethod
    def state(self, batch_id: str) -> PartState:
        """Return how far a batch has come."""

    @abstractmethod
    def results(self, batch_id: str) -> Iterator[tuple[str, bytes | ModelError]]:
        """Yield the results so far: a request's custom id, and its reply's JSON or its error."""

    @abstractmethod
    def cancel(self, batch_id: str) -> None:
        """Make no more calls of a batch."""


class SubmittingModel(Protocol):
    """A chat model whose provider has a batch API."""

    model_name: str
    provider: str
    base_url: str | None

    def batch_api(self) -> BatchApi:
        """Return the batch API of the provider."""
        ...

    def request_json(
        self, messages: list[BaseMessage], params: dict[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        """Return the path and the JSON of a request that does not stream."""
        ...

    def replies_from_json(self, body: bytes) -> list[AIMessage]:
        """Return the replies in a response."""
        ...

    def with_structured_output(self, schema: Any) -> Any:
        """Return a runnable of this model that gives values of a type."""
        ...
