"""The errors that chatnb raises.

    ChatnbError
    ├── ConfigurationError          missing or wrong configuration
    │   ├── CassetteError           recorded replies cannot be used
    │   │   └── CassetteMissError   a request was not recorded
    │   ├── DamagedFileError        a file cannot be read, or is another program's
    │   ├── MissingKeyError         no API key
    │   ├── MissingRuntimeError     an optional package is not installed
    │   ├── MissingWeightsError     no model file on this machine
    │   └── UnknownModelError       no provider of that name
    ├── DeletedMessageError         a message follows one that was deleted elsewhere
    ├── NotForgottenError           a forgotten conversation is still on the disk
    ├── MissingVariableError        a prompt was not given all its variables
    ├── OutputParserError           a reply cannot be parsed
    │   └── StructuredOutputError   a reply is not a value of the requested type
    ├── ToolArgumentsError          arguments do not fit a tool
    ├── ToolServerError             an MCP server failed, or cannot be reached
    ├── ToolRoundsError             a model called tools without reaching an answer
    ├── BudgetSpentError            the budget of a block is spent
    ├── BatchError                  some inputs failed; finished outputs are kept
    └── ModelError                  a call to a model failed
        ├── AuthenticationError     the API key was rejected (401, 403)
        ├── RateLimitError          too many requests (429)
        │   └── QuotaSpentError     no quota left, so that waiting does not help
        ├── NotFoundError           no such model or address (404)
        ├── BadRequestError         the provider rejected the request (400, 422)
        │   ├── ContextOverflowError   the conversation is longer than the model's context
        │   └── UnsupportedContentError   the provider cannot take a part of a message
        ├── ContentFilterError      the provider refused to answer
        ├── ServerError             the provider failed (5xx)
        ├── ModelConnectionError    the provider could not be reached
        ├── ModelTimeoutError       no answer in time
        │   └── DeadlineExceededError  the whole call did not end in time
        ├── MalformedReplyError     the reply does not follow the protocol
        └── StreamInterruptedError  the reply ended early

``BatchInterrupted`` is a KeyboardInterrupt that keeps finished outputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

if TYPE_CHECKING:
    from chatnb.schema.messages import AIMessage, BaseMessage


def error_line(error: BaseException) -> str:
    """Return an error's type and message, as in the last line of a traceback.

    Example:
        >>> error_line(ValueError("no")), error_line(KeyboardInterrupt())
        ('ValueError: no', 'KeyboardInterrupt')
    """
    return ": ".join(filter(None, (type(error).__name__, error_message(error))))


def error_message(error: BaseException) -> str:
    """Return an error's message as text that can be encoded, whatever its `__str__` does.

    Example:
        >>> error_message(ValueError("no"))
        'no'
    """
    try:
        message = str(error)
    except Exception as problem:  # What reports a failure must not fail by it.
        message = f"<no message: {type(problem).__name__} in its __str__>"
    return message.encode("utf-8", "replace").decode()


def _printable(text: str) -> str:
    from chatnb.terminal import SafeText  # Not to be loaded by `import chatnb`.

    return str(SafeText(text))


def _sentences(message: str, *others: str) -> str:
    """Join a message and what follows it, so that each is a sentence of its own."""
    others = tuple(filter(None, others))
    if others and message and not message.endswith((".", "!", "?", "…", ":")):
        message += "."
    return " ".join(filter(None, (message, *others)))


class ChatnbError(Exception):
    """The base class of chatnb's errors.

    Args:
        *args: The message.

    Example:
        >>> from chatnb import ChatPromptTemplate
        >>> try:
        ...     ChatPromptTemplate(["Hi {name}"]).invoke({})
        ... except ChatnbError as error:
        ...     print(type(error).__name__, error, sep=": ")
        MissingVariableError: The prompt needs name, and was given nothing
    """

    # Errors quote providers, models and files, and end up on terminals. Subclasses say what they
    # say in `_text`. A section of the documentation is a note, which tracebacks show below.

    section: ClassVar[str] = ""

    def __init__(self, *args: object) -> None:
        Exception.__init__(self, *args)
        if self.section:
            from chatnb.documentation import section_address

            self.add_note(f"See {section_address(self.section)}")

    def __str__(self) -> str:
        return _printable(self._text())

    def _text(self) -> str:
        return Exception.__str__(self)


class ConfigurationError(ChatnbError):
    """A model, key, package or cassette is missing or cannot be used as configured."""


class CassetteError(ConfigurationError):
    """A cassette of recorded replies is missing, damaged, or of another format."""

    section = "cassettes"


class CassetteMissError(CassetteError):
    """A cassette has no recording of a request."""


class DamagedFileError(ConfigurationError, ValueError):
    """A file of conversations, replies or runs is damaged, or of another program.

    The message names the file and says what to do; the file is as it was.
    """


class MissingKeyError(ConfigurationError):
    """A provider needs an API key and none was given."""

    section = "providers"


class MissingRuntimeError(ConfigurationError):
    """An optional package is not installed."""


class MissingWeightsError(ConfigurationError):
    """No file with a model's weights was found."""

    section = "install"


class UnknownModelError(ConfigurationError):
    """No chat model has the given name."""

    section = "providers"


class DeletedMessageError(ChatnbError, LookupError):
    """A message was to follow one that was deleted elsewhere; nothing was added."""


class NotForgottenError(ChatnbError):
    """A conversation is deleted, but the file still holds its text."""


class ModelError(ChatnbError):
    """A call to a model failed.

    Args:
        message: The failure in one sentence, in the provider's words if it gave any.
        hint: The remedy in one sentence.
        status: The HTTP status, if there was one.
        request_id: The provider's id of the request, if it gave one.
        retry_after: Seconds until the provider accepts another attempt, if it gave them.
        partial: The partial reply.

    In a loop of tool calls, `messages` has the replies and results before the failure.

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

    def _text(self) -> str:
        request = f"(request {self.request_id})" if self.request_id else ""
        return _sentences(self.message, self.hint, request)


class AuthenticationError(ModelError):
    """The provider rejected the API key."""


class RateLimitError(ModelError):
    """Too many requests; `retry_after` is the number of seconds to wait."""


class QuotaSpentError(RateLimitError):
    """The account has no quota left, so that waiting does not help."""


class NotFoundError(ModelError):
    """The provider has no such model, or nothing answers at that address."""


class BadRequestError(ModelError):
    """The provider rejected the request."""


class ContextOverflowError(BadRequestError):
    """The conversation is longer than the model's context."""


class UnsupportedContentError(BadRequestError, ValueError):
    """The provider cannot take a part of a message; nothing was sent."""


class ContentFilterError(ModelError):
    """The provider refused to answer."""


class ServerError(ModelError):
    """The provider failed."""


class ModelConnectionError(ModelError):
    """The provider could not be reached."""


class ModelTimeoutError(ModelError):
    """The provider did not answer in time."""


class DeadlineExceededError(ModelTimeoutError):
    """A call did not end within its `deadline`; `partial` holds the text so far."""


class MalformedReplyError(ModelError):
    """The provider's reply does not follow its protocol."""


class StreamInterruptedError(ModelError):
    """A reply ended early; `partial` holds the text so far."""


class MissingVariableError(ChatnbError, KeyError, ValueError):
    """A prompt was not given all its variables; `missing` and `given` name them.

    Example:
        >>> str(MissingVariableError(["name"], given=["age"]))
        'The prompt needs name, and was given age'
    """

    def __init__(self, missing: Iterable[str], given: Iterable[str]) -> None:
        self.missing = list(missing)
        self.given = list(given)
        super().__init__(self.missing, self.given)

    def _text(self) -> str:
        missing = ", ".join(self.missing)
        return f"The prompt needs {missing}, and was given {', '.join(self.given) or 'nothing'}"


class OutputParserError(ChatnbError, ValueError):
    """A reply cannot be parsed.

    Args:
        message: The problem.
        text: The reply.

    Example:
        >>> OutputParserError("No JSON.", text="Sure!").text
        'Sure!'
    """

    def __init__(self, message: str, *, text: str = "") -> None:
        super().__init__(message)
        self.text = text


class StructuredOutputError(OutputParserError):
    """A reply is not a value of the requested type.

    Args:
        message: The problem.
        text: The JSON of the reply.
        hint: The remedy in one sentence.
        raw: The reply.
        attempts: All replies, if the request was repeated; the last is `raw`.

    Example:
        >>> error = StructuredOutputError("The reply lacks name.", text="{}", hint="Ask again.")
        >>> str(error), error.text
        ('The reply lacks name. Ask again.', '{}')
    """

    section = "typed-answers"

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

    def _text(self) -> str:
        return _sentences(self.message, self.hint)


class ToolArgumentsError(ChatnbError, ValueError):
    """Arguments do not fit a tool.

    Args:
        tool: The tool's name.
        problems: The problems, argument by argument.

    Example:
        >>> str(ToolArgumentsError("add", ["b: Field required"]))
        'The arguments do not fit add: b: Field required'
    """

    def __init__(self, tool: str, problems: Sequence[str]) -> None:
        super().__init__(tool, problems)
        self.tool = tool
        self.problems = list(problems)

    def _text(self) -> str:
        return f"The arguments do not fit {self.tool}: {'; '.join(self.problems)}"


class ToolServerError(ChatnbError):
    """An MCP server failed, refused a request, or cannot be reached."""


class ToolRoundsError(ChatnbError):
    """A model called tools without reaching an answer; `messages` has all messages so far.

    The `message` says how many rounds there were.

    Example:
        >>> str(ToolRoundsError("The model called tools in 8 rounds.", messages=[]))
        'The model called tools in 8 rounds.'
    """

    section = "tool-loops"

    def __init__(self, message: str, messages: Sequence[BaseMessage]) -> None:
        super().__init__(message, messages)
        self.message = message
        self.messages = list(messages)

    def _text(self) -> str:
        return self.message


class BudgetSpentError(ChatnbError):
    """The budget of a block is spent; the message has the calls by model."""

    section = "budgets"


class BatchError(ChatnbError):
    """Some inputs of a batch failed.

    The error raised is also of the class of the first failure and has its attributes, so that
    `except ValueError` or `except RateLimitError as error: error.retry_after` around a batch works
    as it does around a single call. The first failure itself is the `__cause__`. After a failure
    no input is started any more, and the batch waits for those that are running.

    Args:
        results: The finished inputs: index to output.
        failures: The failed inputs: index to exception.
        remaining: The indexes of inputs that were not started.

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

    def _text(self) -> str:
        total = len(self.results) + len(self.failures) + len(self.remaining)
        summary = f"{len(self.failures)} of {total} inputs failed, {len(self.results)} finished"
        if self.remaining:
            summary += f", {len(self.remaining)} not started"
        index, first = next(iter(self.failures.items()))
        return f"{summary}; input {index}: {error_line(first)}"

    def __reduce__(self) -> tuple[Any, ...]:
        return BatchError.of, (self.results, self.failures, self.remaining)

    @staticmethod
    def of(
        results: dict[int, Any], failures: dict[int, Exception], remaining: Sequence[int]
    ) -> BatchError:
        """Return the error of a batch, which is also of the class of its first failure.

        Args:
            results: The finished inputs: index to output.
            failures: The failed inputs: index to exception, in order of failure.
            remaining: The indexes of inputs that were not started.

        Returns:
            The error, with the first failure as its cause.
        """
        first = next(iter(failures.values()))
        try:
            error = _class_for(type(first))(results, failures, remaining)
        except (TypeError, AttributeError):  # The class has a constructor of its own.
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
    """A batch was interrupted; `results`, `failures` and `remaining` as in `BatchError`.

    Example:
        >>> str(BatchInterrupted({0: "fine"}, {}, [1, 2]))
        '1 inputs finished, 2 did not'
    """

    def __init__(
        self, results: dict[int, Any], failures: dict[int, Exception], remaining: Sequence[int]
    ) -> None:
        super().__init__(f"{len(results)} inputs finished, {len(remaining)} did not")
        self.results = results
        self.failures = failures
        self.remaining = list(remaining)

    def __reduce__(self) -> tuple[Any, ...]:
        return BatchInterrupted, (self.results, self.failures, self.remaining)
