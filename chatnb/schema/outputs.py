"""What `generate` gives: every candidate for every prompt, and what the calls cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from uuid import UUID

from chatnb.schema.base_message import BaseMessage, at_default
from chatnb.schema.model_call import ModelCall
from chatnb.schema.usage import UsageMetadata, sum_counts


@dataclass(repr=False)
class Generation:
    """One candidate for one prompt, as text.

    Args:
        text: What was generated.
        generation_info: What the provider said of it, such as the finish reason.

    Example:
        >>> Generation("Hello.")
        Generation(text='Hello.')
    """

    text: str
    generation_info: dict[str, Any] | None = None

    def __repr__(self) -> str:
        shown = [f.name for f in fields(self) if not at_default(self, f)]
        arguments = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__name__}({arguments})"


@dataclass(repr=False)
class ChatGeneration(Generation):
    """One candidate for one prompt, as a message.

    Args:
        text: What was generated; left out, the message's text.
        generation_info: What the provider said of it, such as the finish reason.
        message: What was generated, as a message.

    Raises:
        TypeError: If the message is none.

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
        self.text = self.text or self.message.text


@dataclass
class ChatResult:
    """What one call gave.

    Args:
        generations: The candidates.
        llm_output: What the provider said of the call, such as the token usage.

    Example:
        >>> ChatResult([])
        ChatResult(generations=[], llm_output=None)
    """

    generations: list[ChatGeneration]
    llm_output: dict[str, Any] | None = None


@dataclass(frozen=True)
class RunInfo:
    """Which run made a result.

    Args:
        run_id: The run's id.

    Example:
        >>> RunInfo(UUID(int=1))
        RunInfo(run_id=UUID('00000000-0000-0000-0000-000000000001'))
    """

    run_id: UUID


@dataclass
class LLMResult:
    """What the calls for several prompts gave. Which runs made it does not count for equality.

    Args:
        generations: The candidates of each prompt.
        llm_output: What the provider said of the calls, such as `token_usage`, summed.
        run: The run of each prompt.
        calls: The call of each prompt with what it took, for a table; not shown in the repr.
        errors: Of `generate(..., return_exceptions=True)`: what prompts failed with, by their
            place; such a prompt has no candidates.

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
            A result a prompt. The usage is on the first one only, so that it still sums up.

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
                self._output_of(place),
                runs[place : place + 1] or None,
                calls[place : place + 1] or None,
                {0: self.errors[place]} if place in self.errors else {},
            )
            for place, candidates in enumerate(self.generations)
        ]

    def _output_of(self, place: int) -> dict[str, Any] | None:
        if self.llm_output is None:
            return None
        return dict(self.llm_output) if place == 0 else {**self.llm_output, "token_usage": {}}

    def as_dict(self) -> dict[str, Any]:
        """Write the result as a dict, down to the messages, which stay messages.

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
    """Write token counts under the names that `llm_output["token_usage"]` has.

    Args:
        usage: What a call cost, or None where that is not known.

    Returns:
        The counts; none if they are not known.

    Example:
        >>> token_usage({"input_tokens": 3, "output_tokens": 1, "total_tokens": 4})
        {'prompt_tokens': 3, 'completion_tokens': 1, 'total_tokens': 4}
    """
    if usage is None:
        return {}
    return {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "total_tokens": usage["total_tokens"],
    }


def combine_llm_outputs(outputs: Iterable[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Sum up what the provider said of several calls.

    Args:
        outputs: What it said of each; None, or without usage, where an answer came from a cache
            or from a provider that does not count.

    Returns:
        The usage summed key by key, and of everything else the last.

    Example:
        >>> one = {"token_usage": {"total_tokens": 3}, "model_name": "m"}
        >>> combine_llm_outputs([one, None, one])
        {'token_usage': {'total_tokens': 6}, 'model_name': 'm'}
    """
    told = [output for output in outputs if output is not None]
    combined: dict[str, Any] = {
        "token_usage": sum_counts(output.get("token_usage") for output in told)
    }
    for output in told:
        combined.update((name, said) for name, said in output.items() if name != "token_usage")
    return combined
