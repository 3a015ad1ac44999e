"""The parts of a batch API that a provider supplies, and of a chat model that a job needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from chatnb.errors import ChatnbError, MalformedReplyError, ModelError, error_line
from chatnb.schema.messages import AIMessage, BaseMessage
from chatnb.strict_json import parse_object

Line = dict[str, Any]
NOT_SUBMITTED = "not submitted"
_BROKEN = "The provider's answer about a batch does not follow its protocol"
CLOCK_SECONDS = 600
"""The seconds by which the clocks of a provider and of this machine may differ."""


@dataclass
class PartState:
    """The state of a part of a job, by the provider's status."""

    status: str = NOT_SUBMITTED
    completed: int = 0
    failed: int = 0
    ended: bool = False

    def __post_init__(self) -> None:
        """Raise a TypeError where a server or a file has something else."""
        check_type("status", self.status, str)
        for name in ("completed", "failed"):
            check_type(name, getattr(self, name), int)


def check_type(name: str, value: object, *types: type) -> None:
    """Raise a TypeError for a value of another type."""
    if type(value) not in types:
        raise TypeError(f"{name} is {value!r:.80}")


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

    def results(self, batch_id: str) -> Iterator[tuple[str, bytes | ModelError]]:
        """Yield the results so far: a request's custom id, and its reply's JSON or its error."""
        with self._answer():
            texts = self._result_files(batch_id)
        # By line feeds alone: JSON may hold the other ends of lines as they are.
        for line in (line for text in texts for line in text.split("\n") if line.strip()):
            yield self._result(line)

    @abstractmethod
    def _result_files(self, batch_id: str) -> Sequence[str]:
        """Return the JSON lines of the results so far."""

    @abstractmethod
    def _outcome(self, result: dict[str, Any]) -> bytes | ModelError:
        """Return the reply's JSON in a result, or its error."""

    def _result(self, line: str) -> tuple[str, bytes | ModelError]:
        # The others have been paid for, too: one that is broken is an error of its own.
        custom_id = ""
        try:
            result = parse_object(line)
            custom_id = str(result["custom_id"])
            return custom_id, self._outcome(result)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            return custom_id, MalformedReplyError(f"{_BROKEN}: {error_line(error)}")

    @contextmanager
    def _answer(self) -> Generator[None]:
        """Map the SDK's errors, and those of an answer that has another shape."""
        try:
            with self._errors():
                yield
        except ChatnbError:
            raise
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise MalformedReplyError(f"{_BROKEN}: {error_line(error)}") from None

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
