"""Every error that chatnb raises.

::

    ChatnbError
    ├── ConfigurationError          what was asked for cannot be set up
    │   ├── CassetteError           recorded replies cannot be used
    │   │   └── CassetteMissError   a request was not recorded
    │   ├── MissingKeyError         no API key
    │   ├── MissingRuntimeError     an optional package is not installed
    │   ├── MissingWeightsError     no model file on this machine
    │   └── UnknownModelError       no provider of that name
    ├── MissingVariableError        a prompt was not given all its variables
    ├── OutputParserError           a reply is not what a parser reads
    │   └── StructuredOutputError   an answer is not of the type that was asked for
    ├── ToolArgumentsError          arguments do not fit a tool
    ├── ToolRoundsError             a model called tools without coming to an answer
    ├── BudgetSpentError            no more calls may be made in this block
    ├── BatchError                  some inputs failed; what finished is kept
    └── ModelError                  a call to a model went wrong
        ├── AuthenticationError     the key was refused (401, 403)
        ├── RateLimitError          too many requests (429)
        │   └── QuotaSpentError     no quota left, so that waiting does not help
        ├── NotFoundError           no such model or address (404)
        ├── BadRequestError         the provider did not accept the request (400, 422)
        │   └── ContextOverflowError   the conversation is longer than the model's context
        ├── ContentFilterError      the provider refused to answer
        ├── ServerError             the provider failed (5xx)
        ├── ModelConnectionError    the provider could not be reached
        ├── ModelTimeoutError       no answer in time
        ├── MalformedReplyError     what came back is not what the protocol says
        └── StreamInterruptedError  the reply broke off

``BatchInterrupted`` is a KeyboardInterrupt that keeps what had finished.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from chatnb.schema.messages import AIMessage, BaseMessage


class ChatnbError(Exception):
    """The root of everything chatnb raises on purpose."""


class ConfigurationError(ChatnbError):
    """What was asked for cannot be set up as things are."""


class CassetteError(ConfigurationError):
    """A cassette of recorded replies is missing, damaged, or of another format."""


class CassetteMissError(CassetteError):
    """A cassette is to answer a request that was not recorded."""


class MissingKeyError(ConfigurationError):
    """A provider needs an API key and none was given."""


class MissingRuntimeError(ConfigurationError):
    """An optional package is needed and not installed."""


class MissingWeightsError(ConfigurationError):
    """No file with a model's weights was found."""


class UnknownModelError(ConfigurationError):
    """No chat model goes by the name that was given."""


class ModelError(ChatnbError):
    """A call to a model went wrong.

    Args:
        message: What happened, in one sentence, in the provider's words where it gave any.
        hint: What to do about it, in one sentence.
        status: The HTTP status, if there was one.
        request_id: The provider's id of the request, if it gave one.
        retry_after: Seconds after which the provider accepts another try, if it said so.
        partial: What had arrived of the reply.

    In a loop of tool calls, `messages` has the replies and results that came before.

    Example:
        >>> str(ModelError("The model is overloaded.", hint="Try again in a minute."))
        'The model is overloaded. Try again in a minute.'
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        partial: AIMessage | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        self.partial = partial
        self.messages: list[BaseMessage] = []

    def __str__(self) -> str:
        request = f"(request {self.request_id})" if self.request_id else ""
        return " ".join(part for part in (self.message, self.hint, request) if part)


class AuthenticationError(ModelError):
    """The provider refused the key."""


class RateLimitError(ModelError):
    """Too many requests; `retry_after` says how long to wait."""


class QuotaSpentError(RateLimitError):
    """The account has no quota left, so that waiting does not help."""


class NotFoundError(ModelError):
    """The provider knows no such model, or nothing answers at that address."""


class BadRequestError(ModelError):
    """The provider did not accept the request."""


class ContextOverflowError(BadRequestError):
    """The conversation is longer than the model's context."""


class ContentFilterError(ModelError):
    """The provider refused to answer."""


class ServerError(ModelError):
    """The provider failed."""


class ModelConnectionError(ModelError):
    """The provider could not be reached."""


class ModelTimeoutError(ModelError):
    """The provider did not answer in time."""


class MalformedReplyError(ModelError):
    """What came back is not what the protocol says."""


class StreamInterruptedError(ModelError):
    """A reply broke off before its end; `partial` holds what had arrived."""


class MissingVariableError(ChatnbError, KeyError, ValueError):
    """A prompt was not given all its variables; `missing` and `given` name them."""

    def __init__(self, missing: Iterable[str], given: Iterable[str]) -> None:
        self.missing = list(missing)
        self.given = list(given)
        super().__init__(self.missing, self.given)

    def __str__(self) -> str:
        missing = ", ".join(self.missing)
        return f"The prompt needs {missing}, and was given {', '.join(self.given) or 'nothing'}"


class OutputParserError(ChatnbError, ValueError):
    """A reply is not what a parser reads.

    Args:
        message: What is wrong with it.
        text: The reply, as it came.

    Example:
        >>> OutputParserError("No JSON.", text="Sure!").text
        'Sure!'
    """

    def __init__(self, message: str, *, text: str = "") -> None:
        super().__init__(message)
        self.text = text


class StructuredOutputError(OutputParserError):
    """An answer is not of the type that was asked for.

    Args:
        message: What is wrong with it.
        text: Its JSON, as it came.
        hint: What to do about it, in one sentence.
        raw: The message that it came in.
        attempts: Every answer, when the model was asked again; the last is `raw`.

    Example:
        >>> error = StructuredOutputError("The reply lacks name.", text="{}", hint="Ask again.")
        >>> str(error), error.text
        ('The reply lacks name. Ask again.', '{}')
    """

    def __init__(
        self,
        message: str,
        *,
        text: str = "",
        hint: str = "",
        raw: AIMessage | None = None,
        attempts: Sequence[AIMessage] = (),
    ) -> None:
        super().__init__(message, text=text)
        self.message = message
        self.hint = hint
        self.raw = raw
        self.attempts = list(attempts)

    def __str__(self) -> str:
        return " ".join(part for part in (self.message, self.hint) if part)


class ToolArgumentsError(ChatnbError, ValueError):
    """Arguments do not fit a tool.

    Args:
        tool: The tool's name.
        problems: What is wrong, argument by argument.

    Example:
        >>> str(ToolArgumentsError("add", ["b: Field required"]))
        'The arguments do not fit add: b: Field required'
    """

    def __init__(self, tool: str, problems: Sequence[str]) -> None:
        super().__init__(tool, problems)
        self.tool = tool
        self.problems = list(problems)

    def __str__(self) -> str:
        return f"The arguments do not fit {self.tool}: {'; '.join(self.problems)}"


class ToolRoundsError(ChatnbError):
    """A model called tools without coming to an answer; `messages` has all that came so far."""

    def __init__(self, message: str, messages: Sequence[BaseMessage]) -> None:
        super().__init__(message, messages)
        self.message = message
        self.messages = list(messages)

    def __str__(self) -> str:
        return self.message


class BudgetSpentError(ChatnbError):
    """The budget of a block is spent; what it was spent on is said."""


class BatchError(ChatnbError):
    """Some items of a batch failed.

    What is raised is also of the class of the first failure and has its attributes, so that
    `except ValueError` or `except RateLimitError as error: error.retry_after` around a batch work
    as they do around a single call. The first failure itself is the `__cause__`. After a failure
    no item is started any more, and those that are running are waited for.

    Args:
        results: What finished: index to output.
        failures: What failed: index to exception.
        remaining: The indexes of what was not started.

    Example:
        >>> error = BatchError.of({0: "fine"}, {1: ValueError("no")}, [2])
        >>> isinstance(error, ValueError), str(error)
        (True, '1 of 3 inputs failed, 1 finished, 1 not started; input 1: ValueError: no')
    """

    def __init__(
        self, results: dict[int, Any], failures: dict[int, Exception], remaining: Sequence[int]
    ) -> None:
        Exception.__init__(self, results, failures, remaining)
        self.results = results
        self.failures = failures
        self.remaining = list(remaining)

    def __str__(self) -> str:
        total = len(self.results) + len(self.failures) + len(self.remaining)
        said = f"{len(self.failures)} of {total} inputs failed, {len(self.results)} finished"
        if self.remaining:
            said += f", {len(self.remaining)} not started"
        index, first = next(iter(self.failures.items()))
        return f"{said}; input {index}: {type(first).__name__}: {first}"

    def __reduce__(self) -> tuple[Any, ...]:
        return BatchError.of, (self.results, self.failures, self.remaining)

    @staticmethod
    def of(
        results: dict[int, Any], failures: dict[int, Exception], remaining: Sequence[int]
    ) -> BatchError:
        """The error of a batch, of the class of its first failure too.

        Args:
            results: What finished: index to output.
            failures: What failed: index to exception, in the order of failing.
            remaining: The indexes of what was not started.

        Returns:
            The error, with the first failure as its cause.
        """
        first = next(iter(failures.values()))
        try:
            error = _class_for(type(first))(results, failures, remaining)
        except (TypeError, AttributeError):  # A class that is made in a way of its own.
            error = BatchError(results, failures, remaining)
        for name, value in vars(first).items():
            error.__dict__.setdefault(name, value)
        error.__cause__ = first
        return error


def _class_for(failure: type[Exception]) -> type[BatchError]:
    if issubclass(BatchError, failure) or issubclass(failure, StopIteration | StopAsyncIteration):
        return BatchError
    try:
        bases = (BatchError, failure)
        return cast("type[BatchError]", type("BatchError", bases, {"__doc__": BatchError.__doc__}))
    except TypeError:  # A class that cannot be combined with another.
        return BatchError


class BatchInterrupted(KeyboardInterrupt):
    """A batch was interrupted; `results`, `failures` and `remaining` as in `BatchError`."""

    def __init__(
        self, results: dict[int, Any], failures: dict[int, Exception], remaining: Sequence[int]
    ) -> None:
        super().__init__(f"{len(results)} inputs finished, {len(remaining)} did not")
        self.results = results
        self.failures = failures
        self.remaining = list(remaining)

    def __reduce__(self) -> tuple[Any, ...]:
        return BatchInterrupted, (self.results, self.failures, self.remaining)
