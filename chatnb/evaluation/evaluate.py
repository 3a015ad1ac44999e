"""Run models over rows, score the outputs, and sum up the scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from chatnb.chat_models import BaseChatModel, init_chat_model
from chatnb.errors import ChatnbError, error_line
from chatnb.evaluation.checks import (
    Check,
    Row,
    Score,
    output_text,
    raise_configuration_error,
    to_check,
)
from chatnb.optional_packages import installed
from chatnb.runnables import Runnable, RunnableConfig, RunnableSequence
from chatnb.runnables.base import to_runnable
from chatnb.schema.model_call import ModelCall, sum_calls
from chatnb.terminal import SafeText
from chatnb.tracing.usage_tracking import UsageTracker, next_position, track_calls

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INPUTS = ("input", "prompt", "question")
_SHOWN = 5


class EvaluationFailedError(ChatnbError, AssertionError):
    """Scores of an evaluation are below the bound; lists them and the first failures.

    Example:
        >>> from chatnb import ScriptedChatModel
        >>> from chatnb.evaluation import contains
        >>> rows = [{"question": "Capital of France?"}]
        >>> try:
        ...     evaluate(ScriptedChatModel(["Lyon."]), rows, [contains("Paris")]).require()
        ... except EvaluationFailedError as error:
        ...     print(str(error).splitlines()[0])
        scripted: contains Paris is 0.00, below 1.00
    """


@dataclass(frozen=True)
class Result:
    """The output of one model for one row, and its scores.

    Args:
        model: The model's name in the evaluation.
        row: The row.
        output: The text of the reply, or the object of a typed answer; None if the model failed.
        error: The error of a model that failed, as one line; empty otherwise.
        scores: The scores, by the name of their check.
        calls: The model calls that were made for the row.

    Example:
        >>> Result("gpt", {"input": "Hi"}, "Hello.", "", {"short": Score(1.0)}).passed
        True
    """

    model: str
    row: Row
    output: Any
    error: str
    scores: Mapping[str, Score]
    calls: Sequence[ModelCall] = field(default=(), repr=False)

    @property
    def passed(self) -> bool:
        """True if every check gave the full score."""
        return all(score.value == 1 for score in self.scores.values())

    @property
    def reason(self) -> str:
        """The error, or the checks that failed with their reasons."""
        failed = (
            f"{name}: {score.reason}" if score.reason else name
            for name, score in self.scores.items()
            if score.value < 1
        )
        return self.error or "; ".join(failed)


class Evaluation:
    """The results of `evaluate`; in a notebook, a table with a row for each model.

    Args:
        results: The results, model by model, in the order of the rows.

    Example:
        >>> result = Result("gpt", {"input": "Hi"}, "Hello.", "", {"short": Score(1.0)})
        >>> Evaluation([result]).scores
        {'gpt': {'short': 1.0}}
    """

    def __init__(self, results: Iterable[Result]) -> None:
        self.results = list(results)

    @property
    def models(self) -> list[str]:
        """The names of the models."""
        return list(dict.fromkeys(result.model for result in self.results))

    @property
    def checks(self) -> list[str]:
        """The names of the checks."""
        return list(dict.fromkeys(name for result in self.results for name in result.scores))

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """The mean score of each model in each check, from 0 to 1."""
        return {model: _mean_scores(self.results_of(model)) for model in self.models}

    @property
    def failures(self) -> list[Result]:
        """The results that did not pass."""
        return [result for result in self.results if not result.passed]

    def results_of(self, model: str) -> list[Result]:
        """Return the results of one `model`, in the order of the rows."""
        return [result for result in self.results if result.model == model]

    def calls_of(self, model: str) -> list[ModelCall]:
        """Return the calls that one `model` made, without those of judges."""
        return [call for result in self.results_of(model) for call in result.calls]

    def require(self, at_least: float = 1.0, **checks: float) -> None:
        """Raise an error if a mean score is below its bound.

        Args:
            at_least: The bound of every score, from 0 to 1.
            **checks: Other bounds, by the name of the check.

        Raises:
            EvaluationFailedError: If a score is below its bound.
            ValueError: If there is no check of a name.
        """
        unknown = set(checks) - set(self.checks)
        if unknown:
            raise ValueError(
                f"There is no check {', '.join(sorted(unknown))}, only {', '.join(self.checks)}"
            )
        low = [
            f"{model}: {check} is {score:.2f}, below {checks.get(check, at_least):.2f}"
            for model, scores in self.scores.items()
            for check, score in scores.items()
            if score < checks.get(check, at_least)
        ]
        if low:
            raise EvaluationFailedError("\n".join([*low, *self._first_failures()]))

    def to_pandas(self) -> Any:
        """Return a data frame with a row for each result.

        Returns:
            The columns of the rows, then `model`, `output`, `error`, a column for each check,
            `tokens`, `cost` in US dollars, and `seconds`. A column of a row that has one of these
            names is called `row.NAME`.

        Raises:
            MissingRuntimeError: If pandas is not installed.
        """
        pandas = installed("pandas", "to_pandas")
        return pandas.DataFrame([self._record(result) for result in self.results])

    def plot(self, *, axes: Axes | None = None) -> Axes:
        """Draw the mean scores as bars, a group for each check and a bar for each model.

        Args:
            axes: Where to draw; a new figure by default.

        Returns:
            The axes.

        Raises:
            MissingRuntimeError: If matplotlib is not installed.
        """
        pyplot = installed("matplotlib.pyplot", "plot")
        checks, scores = self.checks, self.scores
        drawn: Any = axes if axes is not None else pyplot.subplots(layout="constrained")[1]
        width = 0.8 / len(scores)
        for place, (model, by_check) in enumerate(scores.items()):
            heights = [by_check[check] for check in checks]
            lefts = [x + (place - (len(scores) - 1) / 2) * width for x in range(len(checks))]
            drawn.bar(lefts, heights, width * 0.9, label=model)
        drawn.set(ylim=(0, 1), ylabel="mean score")
        drawn.set_xticks(range(len(checks)), checks)
        drawn.legend(frameon=False)
        drawn.spines[["top", "right"]].set_visible(b=False)
        return drawn

    def _record(self, result: Result) -> dict[str, Any]:
        totals = sum_calls(result.calls)
        measured = {
            "model": result.model,
            "output": result.output,
            "error": result.error or None,
            **{name: score.value for name, score in result.scores.items()},
            "tokens": totals.tokens["total"].known,
            "cost": totals.cost.known,
            "seconds": sum(call.seconds or 0 for call in result.calls) or None,
        }
        row = {
            f"row.{name}" if name in measured else name: value for name, value in result.row.items()
        }
        return row | measured

    def _first_failures(self) -> list[str]:
        failures = self.failures
        lines = [
            f"  {failure.model}, {_shorten(dict(failure.row))} -> {_shorten(failure.output)}: "
            f"{failure.reason}"
            for failure in failures[:_SHOWN]
        ]
        more = len(failures) - len(lines)
        return [*lines, f"  and {more} more"] if more else lines

    def __repr__(self) -> str:
        rows = len(self.results) // max(1, len(self.models))
        lines = [f"Evaluation of {rows} rows"]
        for model, scores in self.scores.items():
            shown = ", ".join(f"{check} {score:.2f}" for check, score in scores.items())
            lines.append(f"  {model}: {shown}")
        return SafeText("\n".join(lines))


def evaluate(
    models: Any,
    rows: Any,
    checks: Sequence[Any] | str | type | Callable[..., Any] | Check,
    *,
    input: str | Callable[[Row], Any] | None = None,
    max_concurrency: int | None = None,
    checkpoint: Any = None,
) -> Evaluation:
    """Run models or chains over rows, and score what they return.

    Args:
        models: A chat model, a chain, or the name of a model; or several, in a list, or by name
            in a dict.
        rows: A data frame of pandas or polars, or an iterable of dicts or texts. A text is a row
            with the column `input`.
        checks: A check, or a list of them: a text that the output contains, a `/pattern/`, a type
            or a JSON schema, a function of the output (and its row), or one of
            `chatnb.evaluation`: `contains(column)`, `equals(column)`, `judge(criterion, model)`.
        input: The column with the input of a row, or a function that makes it of the row. By
            default a chain gets the whole row, and a chat model its column `input`, `prompt` or
            `question`.
        max_concurrency: The number of calls at a time; as in `batch`.
        checkpoint: A file that keeps every reply as it arrives; as in `batch`.

    Returns:
        The results. A model that fails on a row scores 0 there, with its error as the reason.

    Raises:
        ConfigurationError: If a key, a package or a recorded reply is missing, which says nothing
            about a model. Its other errors are scores of 0 with their text.
        ValueError: If there are no rows or no checks, or a row has no input.
        TypeError: If a model, a row or a check is none.

    Example:
        >>> from chatnb import ScriptedChatModel
        >>> from chatnb.evaluation import contains
        >>> chat = ScriptedChatModel(["It is Oslo.", "It is Lyon."])
        >>> rows = [
        ...     {"input": "Capital of Norway?", "capital": "Oslo"},
        ...     {"input": "Capital of France?", "capital": "Paris"},
        ... ]
        >>> evaluate(chat, rows, [contains("capital"), "/^It is/"], max_concurrency=1)
        Evaluation of 2 rows
          scripted: contains capital 0.50, /^It is/ 1.00
    """
    records = _records(rows)
    all_checks = [to_check(check) for check in _listed(checks)]
    if not all_checks:
        raise ValueError("Give at least one check, such as a text that each output contains")
    config: RunnableConfig = {} if max_concurrency is None else {"max_concurrency": max_concurrency}
    results = list[Result]()
    for name, model in _named(models).items():
        inputs = [_input(model, row, input) for row in records]
        tracker = UsageTracker()
        depth = len(next_position())  # That of a batch that starts here; its inputs come after it.
        with track_calls(tracker):
            outputs: list[Any] = model.batch(
                inputs, config, return_exceptions=True, checkpoint=checkpoint
            )
        raise_configuration_error(outputs)
        calls = _calls_by_row(tracker.calls, depth, len(records))
        results += _score(name, records, outputs, all_checks, calls)
    return Evaluation(results)


def _score(
    model: str,
    rows: Sequence[Row],
    outputs: Sequence[Any],
    checks: Sequence[Check],
    calls: Sequence[Sequence[ModelCall]],
) -> list[Result]:
    """Return the results of a model; only what did not fail is given to the checks."""
    errors = [error_line(output) if isinstance(output, BaseException) else "" for output in outputs]
    places = [place for place, error in enumerate(errors) if not error]
    good = [output_text(outputs[place]) for place in places]
    good_rows = [rows[place] for place in places]
    scores = [dict[str, Score]() for _ in rows]
    for check in checks:
        found = dict(zip(places, check.scores(good, good_rows), strict=True))
        for place, by_name in enumerate(scores):
            by_name[check.name] = found.get(place, Score(0.0, errors[place]))
    values = dict(zip(places, good, strict=True))
    return [
        Result(model, row, values.get(place), errors[place], scores[place], calls[place])
        for place, row in enumerate(rows)
    ]


def _calls_by_row(calls: Sequence[ModelCall], depth: int, rows: int) -> list[list[ModelCall]]:
    """Sort the calls of a batch by its inputs, whose index is at `depth` of their positions."""
    made = [list[ModelCall]() for _ in range(rows)]
    for call in calls:
        made[call.position[depth]].append(call)
    return made


def _mean_scores(results: Sequence[Result]) -> dict[str, float]:
    totals = dict[str, float]()
    for result in results:
        for check, score in result.scores.items():
            totals[check] = totals.get(check, 0.0) + score.value
    return {check: total / len(results) for check, total in totals.items()}


def _records(rows: Any) -> list[Row]:
    """Return rows as dicts."""
    if hasattr(rows, "to_dicts"):
        rows = rows.to_dicts()  # polars
    elif hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        rows = rows.to_dict("records")  # pandas
    if isinstance(rows, str | Mapping) or not isinstance(rows, Iterable):
        raise TypeError(f"Rows are a data frame, or a list of dicts or texts, not {rows!r}")
    given = cast("Iterable[Any]", rows)
    records = [_record_of(row) for row in given]
    if not records:
        raise ValueError("There are no rows to evaluate")
    return records


def _record_of(row: Any) -> Row:
    if isinstance(row, str):
        return {"input": row}
    if isinstance(row, Mapping):
        return cast("Row", row)
    raise TypeError(f"A row is a dict or a text, not {row!r}")


def _listed(things: Any) -> list[Any]:
    return list(cast("Iterable[Any]", things)) if isinstance(things, list | tuple) else [things]


def _named(models: Any) -> dict[str, Runnable[Any, Any]]:
    if isinstance(models, Mapping):
        given = cast("Mapping[Any, Any]", models)
        return {str(name): _runnable(model) for name, model in given.items()}
    named = dict[str, Runnable[Any, Any]]()
    for model in map(_runnable, _listed(models)):
        name = getattr(_inner(model), "model_name", None) or model.get_name()
        number = sum(other == name or other.startswith(f"{name} (") for other in named)
        named[f"{name} ({number + 1})" if number else str(name)] = model
    if not named:
        raise ValueError("Give at least one model or chain")
    return named


def _runnable(model: Any) -> Runnable[Any, Any]:
    return init_chat_model(model) if isinstance(model, str) else to_runnable(model)


def _inner(model: Any) -> Any:
    """Return what is bound, retried or made to answer by a schema."""
    seen = model
    while not isinstance(seen, BaseChatModel):
        inner = getattr(seen, "bound", None) or getattr(seen, "model", None)
        if inner is None:
            return model
        seen = inner
    return seen


def _input(model: Any, row: Row, wanted: str | Callable[[Row], Any] | None) -> Any:
    if callable(wanted):
        return wanted(row)
    if wanted is not None:
        if wanted not in row:
            raise ValueError(f"A row has no column {wanted!r}, only {', '.join(row)}")
        return row[wanted]
    if isinstance(model, RunnableSequence) or not isinstance(_inner(model), BaseChatModel):
        return row["input"] if set(row) == {"input"} else dict(row)
    column = next((name for name in _INPUTS if name in row), None)
    if column is None:
        raise ValueError(
            f"A row has the columns {', '.join(row)}: say which one is the prompt, "
            'with input="COLUMN" or input=lambda row: ...'
        )
    return row[column]


def _shorten(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:79]}…"
