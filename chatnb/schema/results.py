"""Results of `generate`: candidates for each prompt, token usage and cost."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any
from uuid import UUID, uuid4

from chatnb.schema.message_class import is_default
from chatnb.schema.message_types import BaseMessage, plain_text
from chatnb.schema.model_call import ModelCall
from chatnb.schema.usage import UsageMetadata


@dataclass(repr=False)
class Generation:
    """A candidate as text.

    Args:
        text: The generated text.
        generation_info: The provider's metadata, such as the finish reason.

    Example:
        >>> Generation("Hello.")
        Generation(text='Hello.')
    """

    text: str
    generation_info: dict[str, Any] | None = None

    def __repr__(self) -> str:
        shown = [f.name for f in fields(self) if not is_default(self, f)]
        arguments = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__name__}({arguments})"


@dataclass(repr=False)
class ChatGeneration(Generation):
    """A candidate as a message.

    Args:
        text: The generated text; by default the message's text.
        generation_info: The provider's metadata, such as the finish reason.
        message: The generated message.

    Raises:
        TypeError: If `message` is not a message.

    Example:
        >>> from chatnb.schema import AIMessage
        >>> ChatGeneration(message=AIMessage("Hello."))
        ChatGeneration(text='Hello.', message=AIMessage(content='Hello.'))
    """

    text: str = ""
    message: BaseMessage = field(kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.message, BaseMessage):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"ChatGeneration takes a message, not {self.message!r}")
        self.text = self.text or plain_text(self.message)


@dataclass
class ChatResult:
    """The result of one call.

    Args:
        generations: The candidates.
        llm_output: The provider's metadata of the call, such as the token usage.

    Example:
        >>> ChatResult([])
        ChatResult(generations=[], llm_output=None)
    """

    generations: list[ChatGeneration]
    llm_output: dict[str, Any] | None = None


class RunInfo:
    """The run that made a result.

    Args:
        run_id: The run's id; by default a random one.

    Example:
        >>> RunInfo(UUID(int=1))
        RunInfo(run_id=UUID('00000000-0000-0000-0000-000000000001'))
    """

    __slots__ = ("_run_id",)

    def __init__(self, run_id: UUID | None = None) -> None:
        self._run_id = run_id

    @property
    def run_id(self) -> UUID:
        """The run's id."""
        if self._run_id is None:  # A random id takes 2 µs, and few of 10,000 prompts' are read.
            self._run_id = uuid4()
        return self._run_id

    def __repr__(self) -> str:
        return f"RunInfo(run_id={self.run_id!r})"

    def __eq__(self, other: object) -> bool:
        return self.run_id == other.run_id if isinstance(other, RunInfo) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.run_id)

    def __reduce__(self) -> tuple[type[RunInfo], tuple[UUID]]:
        return RunInfo, (self.run_id,)


@dataclass
class LLMResult:
    """The result of calls for several prompts. Its runs do not count for equality.

    Args:
        generations: The candidates for each prompt.
        llm_output: The provider's metadata of the calls, with `token_usage` summed.
        run: The run of each prompt.
        calls: The call of each prompt with its usage, for a table; not in the repr.
        errors: With `generate(..., return_exceptions=True)`, the errors of failed prompts by
            index; such a prompt has no candidates.

    Example:
        >>> LLMResult([])
        LLMResult(generations=[], llm_output=None, run=None)
    """

    generations: list[list[ChatGeneration]]
    llm_output: dict[str, Any] | None = None
    run: list[RunInfo] | None = field(default=None, compare=False)
    calls: list[ModelCall] | None = field(default=None, compare=False, repr=False)
    errors: dict[int, Exception] = field(default_factory=dict[int, Exception], repr=False)

    def flatten(self) -> list[LLMResult]:
        """Split the result by prompt.

        Returns:
            A result for each prompt, with the usage on the first alone, so that sums stay true.

        Example:
            >>> cost = {"token_usage": {"total_tokens": 3}, "model_name": "m"}
            >>> whole = LLMResult([[], []], cost)
            >>> [part.llm_output["token_usage"] for part in whole.flatten()]
            [{'total_tokens': 3}, {}]
        """
        runs, calls = self.run or [], self.calls or []
        return [
            LLMResult(
                [candidates],
                self._llm_output(index),
                runs[index : index + 1] or None,
                calls[index : index + 1] or None,
                {0: self.errors[index]} if index in self.errors else {},
            )
            for index, candidates in enumerate(self.generations)
        ]

    def _llm_output(self, index: int) -> dict[str, Any] | None:
        if self.llm_output is None:
            return None
        return dict(self.llm_output) if index == 0 else {**self.llm_output, "token_usage": {}}

    def as_dict(self) -> dict[str, Any]:
        """Return the result as dicts; messages stay messages.

        Returns:
            A new dict with `generations`, `llm_output` and `run`.

        Example:
            >>> LLMResult([[]]).as_dict()
            {'generations': [[]], 'llm_output': None, 'run': None}
        """
        generations = [
            [{f.name: getattr(candidate, f.name) for f in fields(candidate)} for candidate in some]
            for some in self.generations
        ]
        return {"generations": generations, "llm_output": self.llm_output, "run": self.run}


def token_usage(usage: UsageMetadata | None) -> dict[str, int]:
    """Return token counts under the names of `llm_output["token_usage"]`."""
    if usage is None:
        return {}
    return {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "total_tokens": usage["total_tokens"],
    }
