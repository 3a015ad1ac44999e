"""Evaluations: rows through models, checks, scores, their table, and the marker of pytest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas
import polars
import pytest
from pydantic import BaseModel

import chatnb
from chatnb import ScriptedChatModel, evaluate
from chatnb.errors import CassetteMissError, ServerError
from chatnb.evaluation import (
    Check,
    Evaluation,
    EvaluationFailedError,
    Score,
    contains,
    equals,
    judge,
)
from chatnb.evaluation.checks import text_pattern, type_problem
from chatnb.notebook.tables.evaluation import evaluation_mimebundle
from chatnb.prompts import ChatPromptTemplate
from chatnb.runnables import RunnableLambda
from tests.support.pytest_runs import pytest_runs

ROWS = [
    {"input": "Capital of Norway?", "capital": "Oslo"},
    {"input": "Capital of France?", "capital": "Paris"},
]


class City(BaseModel):
    name: str


def scripted(*replies: Any) -> ScriptedChatModel:
    return ScriptedChatModel(list(replies))


def in_order(model: Any, rows: Any, checks: Any, **options: Any) -> Evaluation:
    return evaluate(model, rows, checks, max_concurrency=1, **options)


@pytest.mark.parametrize(
    ("check", "reply", "score"),
    [
        ("oslo", "It is Oslo.", 1),
        ("Bergen", "It is Oslo.", 0),
        ("/^It is/", "It is Oslo.", 1),
        ("/^Oslo/", "It is Oslo.", 0),
        (City, '{"name": "Oslo"}', 1),
        (City, '{"town": "Oslo"}', 0),
        (City, "Oslo", 0),
        ({"type": "object", "required": ["name"]}, '```json\n{"name": 1}\n```', 1),
        ({"type": "object", "required": ["name"]}, "{}", 0),
        (lambda output: len(output) < 5, "Oslo", 1),
        (lambda output, row: row["capital"] in output, "Oslo!", 1),
        (lambda output: 0.25, "Oslo", 0.25),
        (lambda output: Score(0.5, "Half."), "Oslo", 0.5),
        (lambda output: 1 / 0, "Oslo", 0),
        (lambda output: "yes", "Oslo", 0),
        (lambda output: 7, "Oslo", 0),
        (contains("capital"), "It's OSLO.", 1),
        (equals("capital"), " Oslo\n", 1),
        (equals("capital"), "It is Oslo.", 0),
    ],
)
def test_a_check_scores_a_reply(check: Any, reply: str, score: float) -> None:
    """Each kind of check gives a reply its score; a mistake in a check is a score of 0."""
    evaluation = evaluate(scripted(reply), ROWS[:1], check)
    (given,) = evaluation.results[0].scores.values()
    assert given.value == score


@pytest.mark.parametrize(("check", "said"), [(lambda _: 1 / 0, "ZeroDivisionError"), (7, "text")])
def test_the_reason_of_a_failed_check_is_kept(check: Any, said: str) -> None:
    """An exception in a check is its reason; what is no check is refused before any call."""
    model = scripted("Oslo")
    if callable(check):
        assert said in evaluate(model, ["Capital?"], check).results[0].reason
        return
    with pytest.raises(TypeError, match=said):
        evaluate(model, ["Capital?"], check)


@pytest.mark.parametrize("rows", [pandas.DataFrame(ROWS), polars.DataFrame(ROWS), ROWS, iter(ROWS)])
def test_rows_come_in_many_forms(rows: Any) -> None:
    """Data frames and iterables of dicts are rows."""
    evaluation = in_order(scripted("Oslo", "Lyon"), rows, contains("capital"))
    assert evaluation.scores == {"scripted": {"contains capital": 0.5}}
    assert [failure.row["capital"] for failure in evaluation.failures] == ["Paris"]


@pytest.mark.parametrize("rows", [[], "Capital?", 5, [5], {"input": "Capital?"}])
def test_what_are_no_rows_is_refused(rows: Any) -> None:
    """Rows that are none are refused with what rows are."""
    with pytest.raises((TypeError, ValueError), match=r"[Rr]ow"):
        evaluate(scripted("Oslo"), rows, "Oslo")


def test_the_input_of_a_row() -> None:
    """A chain gets the row, a chat model its prompt, or what `input` says."""
    chain = ChatPromptTemplate.from_template("Capital of {land}?") | scripted("Oslo")
    assert evaluate(chain, [{"land": "Norway"}], "Oslo").scores == {"RunnableSequence": {"Oslo": 1}}
    asked = list[str]()

    def answer(question: str) -> str:
        asked.append(question)
        return "Oslo"

    evaluate(answer, [{"land": "Norway"}], "Oslo", input="land")
    evaluate(answer, [{"land": "Norway"}], "Oslo", input=lambda row: f"{row['land']}?")
    assert asked == ["Norway", "Norway?"]
    with pytest.raises(ValueError, match="say which one is the prompt"):
        evaluate(scripted("Oslo"), [{"land": "Norway"}], "Oslo")
    with pytest.raises(ValueError, match="no column 'town'"):
        evaluate(scripted("Oslo"), [{"land": "Norway"}], "Oslo", input="town")


def test_models_side_by_side() -> None:
    """Several models are named by a dict or by themselves, and scored each."""
    models = {"good": scripted("Oslo"), "bad": scripted("Lyon")}
    assert evaluate(models, ["Capital?"], "Oslo").scores == {
        "good": {"Oslo": 1},
        "bad": {"Oslo": 0},
    }
    both = evaluate([scripted("Oslo"), scripted("Lyon")], ["Capital?"], "Oslo")
    assert both.models == ["scripted", "scripted (2)"]


def test_a_typed_answer_is_checked_as_an_object() -> None:
    """Checks get the object of a typed answer, and its fields can be compared."""
    model = scripted('{"name": "Oslo"}').with_structured_output(City)
    evaluation = evaluate(model, ROWS[:1], [City, lambda city, row: city.name == row["capital"]])
    assert not evaluation.failures


def test_a_model_that_fails_scores_nothing_there() -> None:
    """An error of one row is its reason; the other rows are scored."""
    model = scripted("Oslo", ServerError("Overloaded."))
    evaluation = in_order(model, ROWS, "Oslo")
    assert evaluation.scores == {"scripted": {"Oslo": 0.5}}
    (failure,) = evaluation.failures
    assert failure.output is None
    assert failure.error == failure.reason == "ServerError: Overloaded."


def test_a_judge_gives_reasons() -> None:
    """A judge's verdicts are scores with reasons; one that cannot be read is a failure."""
    verdicts = scripted('{"reason": "One word.", "passed": true}', "Hm.")
    check = judge("One word.", verdicts, name="brief")
    evaluation = in_order(scripted("Oslo", "It is Paris."), ROWS, check)
    first, second = (result.scores["brief"] for result in evaluation.results)
    assert first == Score(1.0, "One word.")
    assert second.value == 0
    assert "The judge failed" in second.reason


def test_bounds() -> None:
    """`require` names each score below its bound, and the rows that failed."""
    evaluation = in_order(scripted("Oslo", "Lyon"), ROWS, [contains("capital"), "/o/"])
    evaluation.require(0.5)
    with pytest.raises(
        EvaluationFailedError, match=r"contains capital is 0\.50, below 0\.90"
    ) as raised:
        evaluation.require(0.9)
    assert "'capital': 'Paris'" in str(raised.value)
    with pytest.raises(ValueError, match="no check speed"):
        evaluation.require(speed=1)


def test_the_data_frame() -> None:
    """A row for each result: the row's columns, the output, scores, tokens, cost and time."""
    rows = [{"input": "Capital?", "model": "T"}]
    frame = evaluate(scripted("Oslo"), rows, "Oslo").to_pandas()
    assert list(frame) == [
        "input", "row.model", "model", "output", "error", "Oslo", "tokens", "cost", "seconds",
    ]  # fmt: skip
    assert frame.loc[0, "output"] == "Oslo"


def test_the_plot() -> None:
    """A bar for each model in each check."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    models = {"good": scripted("Oslo"), "bad": scripted("Lyon")}
    axes = evaluate(models, ["Capital?"], ["Oslo", "/./"]).plot()
    assert len(axes.patches) == 4
    matplotlib.pyplot.close(axes.figure)


def test_the_table_shows_hostile_text_as_text() -> None:
    """Scores by model, and the failures below; nothing in it is markup."""
    hostile = "<img src=x onerror=alert(1)> | ![x](http://e.test/)"
    evaluation = evaluate({hostile: scripted(hostile)}, [hostile], "/^$/")
    shown = evaluation_mimebundle(evaluation)
    assert "<img" not in shown["text/html"]
    assert "<img" not in shown["text/markdown"].replace("\\<img", "")
    assert "1 output below the full score" in shown["text/html"]
    assert "0.00" in shown["text/plain"]


def test_it_replays_from_a_cassette(tmp_path: Path) -> None:
    """An evaluation that is recorded gives the same scores without its model."""
    model = scripted("Oslo", "Paris")
    with chatnb.cassette(tmp_path / "capitals.yaml"):
        first = in_order(model, ROWS, contains("capital"))
    with chatnb.cassette(tmp_path / "capitals.yaml", mode="replay"):
        again = in_order(scripted("Oslo", "Paris"), ROWS, contains("capital"))
    assert again.scores == first.scores == {"scripted": {"contains capital": 1.0}}


@pytest.mark.parametrize("asked", ["model", "judge"])
def test_a_missing_recording_is_no_score(tmp_path: Path, asked: str) -> None:
    """It says nothing about a model, which may be above its bound without that row."""
    file = tmp_path / "some.yaml"
    chat, other = ScriptedChatModel(["Oslo"]), ScriptedChatModel(['{"reason": "", "passed": true}'])
    with chatnb.cassette(file, "record"):
        evaluate(chat, ["Capital of Norway?"], judge("It is true.", other))
    text = file.read_text()
    old = "human: Capital" if asked == "model" else "It is true."
    assert old in text
    file.write_text(text.replace(old, f"{old} Other"))
    with chatnb.cassette(file, "replay"), pytest.raises(CassetteMissError, match="has no reply"):
        evaluate(chat, ["Capital of Norway?"], judge("It is true.", other))


def test_a_checkpoint_keeps_replies(tmp_path: Path) -> None:
    """The same evaluation again asks nothing."""
    for replies in (["Oslo", "Paris"], ["Oslo", "Paris"]):
        evaluation = in_order(
            scripted(*replies), ROWS, contains("capital"), checkpoint=tmp_path / "run.sqlite"
        )
    assert evaluation.scores == {"scripted": {"contains capital": 1.0}}


MARKED = """
import chatnb, pytest

@pytest.fixture
def model():
    return chatnb.ScriptedChatModel(["Oslo"])

@pytest.mark.chatnb_evaluation(at_least={bound})
def test_capitals(model):
    return chatnb.evaluate(model, ["Norway?", "France?"], "/Oslo/" if {good} else "/Paris/")
"""


def run_marked(folder: Path, test: str) -> tuple[int, str]:
    (folder / "test_marked.py").write_text(test)
    options = ["-q", "-p", "no:cacheprovider", "test_marked.py"]
    environment = {"PYTHONPATH": str(Path(chatnb.__file__).parents[1])}
    code = pytest_runs().run(folder, options, environment)
    return code, (folder / "pytest.out").read_text()


@pytest.mark.process
@pytest.mark.parametrize(("bound", "good", "code"), [(1.0, True, 0), (0.5, False, 1)])
def test_the_marker(tmp_path: Path, bound: float, good: bool, code: int) -> None:
    """A marked test passes or fails by its bound, and says the score."""
    exit_code, shown = run_marked(tmp_path, MARKED.format(bound=bound, good=good))
    assert exit_code == code, shown
    assert ("/Paris/ is 0.00, below 0.50" in shown) == (code == 1)


@pytest.mark.process
def test_a_marked_test_that_returns_nothing_fails(tmp_path: Path) -> None:
    """A marked test without an evaluation says how to end it."""
    test = "import pytest\n@pytest.mark.chatnb_evaluation()\ndef test_nothing():\n    pass\n"
    exit_code, shown = run_marked(tmp_path, test)
    assert exit_code == 1
    assert "return chatnb.evaluate" in shown


def test_every_row_has_its_own_calls() -> None:
    """A row has the calls made for it, after other batches and within a batch, too."""

    def calls_by_row(_: str) -> list[list[str]]:
        found = in_order(scripted("Oslo"), ROWS, "Oslo").results
        return [[call.prompt for call in result.calls] for result in found]

    own = [["Capital of Norway?"], ["Capital of France?"]]
    assert [calls_by_row("") for _ in range(3)] == [own] * 3
    assert RunnableLambda(calls_by_row).batch(["", ""]) == [own] * 2


NO_SCORE = "The check returned {}, and not a number from 0 to 1."
SCHEMA = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}


@pytest.mark.parametrize(
    ("check", "output", "score"),
    [
        (Check("c", lambda _: 1), "", Score(1.0)),
        (Check("c", lambda _: 0), "", Score(0.0)),
        (Check("c", lambda _: True), "", Score(1.0)),
        (Check("c", lambda _: 1.5), "", Score(0.0, NO_SCORE.format(1.5))),
        (Check("c", lambda _: -0.5), "", Score(0.0, NO_SCORE.format(-0.5))),
        (Check("c", lambda _: None), "", Score(0.0, NO_SCORE.format(None))),
        (Check("c", lambda _: 1 / 0), "", Score(0.0, "ZeroDivisionError: division by zero")),
        (Check("c", lambda output, row: output == row["a"]), "b", Score(1.0)),
        (Check("c", lambda output, row=None: row is None), "b", Score(0.0)),
        (Check("c", bool), "b", Score(1.0)),
        (contains("a"), "xBx", Score(1.0)),
        (contains("n"), 17, Score(1.0)),
        (equals("a"), " b ", Score(1.0)),
        (equals("a"), "B", Score(0.0)),
        (equals("n"), 7, Score(1.0)),
        (equals("n"), "7", Score(1.0)),
        (equals("n"), [7], Score(0.0)),
    ],
)  # fmt: skip
def test_a_score_is_from_0_to_1(check: Check, output: Any, score: Score) -> None:
    """Anything else that a check returns or raises is 0, with the reason."""
    assert check.scores([output], [{"a": "b", "n": 7}]) == [score]


@pytest.mark.parametrize(
    ("schema", "text", "problem"),
    [
        (City, '{"name": "Oslo"}', ""),
        (City, "{}", "name: Field required"),
        (City, "[]", "Input should be an object"),
        (list[City], '[{"name": "Oslo"}, {"name": 3}]', "1.name: Input should be a valid string"),
        (SCHEMA, '{"name": "Oslo"}', ""),
        (SCHEMA, "{}", '"name" is a required property'),
        (SCHEMA, '{"name": 3}', '3 is not of type "string"'),
        ({"type": "nonsense"}, "{}", '"nonsense"'),
        (City, "Oslo", "Invalid JSON: "),
    ],
)
def test_the_first_problem_of_a_typed_answer_is_told(schema: Any, text: str, problem: str) -> None:
    """It names the place, if it is not the whole; none is nothing."""
    found = type_problem(schema, text)
    assert problem in found
    assert bool(found) == bool(problem)
    assert "\n" not in found


def test_a_text_between_slashes_is_a_pattern() -> None:
    """Others are looked for as they are, in any case; lines and line ends are those of a text."""
    assert text_pattern("/a.c/").search("xa\nc")
    assert text_pattern("/^b/").search("a\nb")
    assert not text_pattern("/A/").search("a")
    assert text_pattern("A.C").search("xa.c")
    assert not text_pattern("a.c").search("abc")
    assert text_pattern("//").search("a//b")
    assert text_pattern("/").search("a/b")
    with pytest.raises(ValueError, match=r"^'' is empty: give a text or a /pattern/$"):
        text_pattern("")
    with pytest.raises(ValueError, match=r"^/\(/ is no regular expression: "):
        text_pattern("/(/")


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: evaluate(scripted("a"), ["b"], []), ValueError, "Give at least one check, such"),
        (lambda: evaluate([], ["b"], "a"), ValueError, "Give at least one model or chain"),
        (lambda: evaluate(scripted("a"), [], "a"), ValueError, "There are no rows to evaluate"),
        (lambda: evaluate(scripted("a"), [5], "a"), TypeError, "A row is a dict or a text, not 5"),
        (lambda: evaluate(scripted("a"), 5, "a"), TypeError, "Rows are a data frame, or a list"),
        (lambda: Check("c", 5), TypeError, "A check's function is called with an output, but 5"),
    ],
)
def test_a_mistake_in_an_evaluation_says_what_is_needed(
    make: Any, error: type[Exception], said: str
) -> None:
    """It is raised before any call."""
    with pytest.raises(error, match=f"^{said}"):
        make()


class Named:
    """A check that is an object."""

    def __call__(self, output: str) -> bool:
        return bool(output)


def test_checks_and_models_are_named_after_themselves() -> None:
    """A schema without a name, a function, an object, and models of one name in order."""
    models = [scripted("{}") for _ in range(3)]
    found = in_order(models, ["a"], [City, SCHEMA, bool, Named(), "/x/"])
    assert found.checks == ["City", "the schema", "bool", "Named", "/x/"]
    assert found.models == ["scripted", "scripted (2)", "scripted (3)"]
    assert judge("It is short.", scripted("")).name == "judge: It is short."
    assert found.results_of("scripted (2)") == [found.results[1]]


def test_each_low_score_and_the_first_failures_are_told() -> None:
    """A check may have a bound of its own; long values are cut, and the rest is counted."""
    rows = [f"{number} {'x' * 100}" for number in range(8)]
    found = in_order(scripted("a"), rows, ["a", "b"])
    found.require(b=0.0)
    found.require(0.0)
    with pytest.raises(EvaluationFailedError) as caught:
        found.require(a=1.0)
    first, *failures, more = str(caught.value).splitlines()
    assert first == "scripted: b is 0.00, below 1.00"
    shown = repr({"input": rows[0]})[:79]
    assert failures[0] == f"  scripted, {shown}… -> 'a': b"
    assert more == f"  and {8 - len(failures)} more"
    assert repr(found) == "Evaluation of 8 rows\n  scripted: a 1.00, b 0.00"
