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
from typing import TYPE_CHECKING

from chatnb.errors.base import ChatnbError as ChatnbError
from chatnb.errors.base import error_line as error_line
from chatnb.errors.base import error_message as error_message
from chatnb.errors.base import error_notes as error_notes
from chatnb.errors.base import sentences
from chatnb.errors.batches import BatchError as BatchError
from chatnb.errors.batches import BatchInterrupted as BatchInterrupted

if TYPE_CHECKING:
    from chatnb.schema.messages import AIMessage, BaseMessage


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
        return sentences(self.message, self.hint, request)


class AuthenticationError(ModelError):
    """The provider rejected the API key."""

    section = "providers"


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

    section = "files-in-cells"


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

    @property
    def llm_output(self) -> str:
        """The reply, by LangChain's name of `text`."""
        return self.text


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
        return sentences(self.message, self.hint)


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

    section = "tools-in-cells"


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
