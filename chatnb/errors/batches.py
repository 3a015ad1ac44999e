"""The errors of batches, which keep what has finished."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from chatnb.errors.base import ChatnbError, error_line, error_notes


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

    section = "errors-in-batches"

    def __init__(
        self, results: dict[int, Any], failures: dict[int, Exception], remaining: Sequence[int]
    ) -> None:
        ChatnbError.__init__(self, results, failures, remaining)
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
        error.__notes__ = [*error_notes(first), *error_notes(error)]
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
