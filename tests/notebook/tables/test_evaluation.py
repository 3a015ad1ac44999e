"""The table of an evaluation, and the outputs in it that failed."""

from __future__ import annotations

from typing import Any

from chatnb.evaluation import Evaluation, Result, Score
from chatnb.notebook.tables.evaluation import evaluation_mimebundle
from chatnb.schema.model_call import ModelCall
from tests.support.model_calls import tokens

CALL = ModelCall("gpt-4o-mini", "openai", "Hi", tokens(1_000, 200), 2.0, given_cost=0.5)


def result(model: str, score: float, **fields: Any) -> Result:
    values = {"row": {"input": "Hi", "n": 2}, "output": "Ho", "error": "", **fields}
    return Result(model, scores={"short": Score(score, fields.pop("why", "Too long"))}, **values)


def test_models_are_rows_and_failures_follow() -> None:
    """Each model with what is known of its calls; a failure has its output or its error."""
    evaluation = Evaluation(
        [
            result("good", 1, calls=[CALL, CALL]),
            result("bad", 0.25, calls=[ModelCall("bad")]),
            result("bad", 0, output=None, error="KeyError: 'a'"),
            result("new", 1),
        ]
    )
    shown = evaluation_mimebundle(evaluation)
    assert shown.get("text/plain", "").splitlines() == [
        "Model  short  Rows  Failed  Tokens  Cost     Time",
        "good   1.00   1     0       2,400   $1.0000  4.00 s",
        "bad    0.12   2     2                        < 1 ms",
        "new    1.00   1     0       0       $0.0000",
        "",
        "Model  Row    Output  Reason",
        f"bad    Hi, 2  Ho      {evaluation.failures[0].reason}",
        f"bad    Hi, 2          {evaluation.failures[1].reason}",
    ]
    assert shown.get("text/markdown", "").splitlines() == [
        "| Model | short | Rows | Failed | Tokens | Cost | Time |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| good | 1.00 | 1 | 0 | 2,400 | <span>\\$</span>1.0000 | 4.00 s |",
        "| bad | 0.12 | 2 | 2 |  |  | \\< 1 ms |",
        "| new | 1.00 | 1 | 0 | 0 | <span>\\$</span>0.0000 |  |",
        "",
        "| Model | Row | Output | Reason |",
        "| --- | --- | --- | --- |",
        f"| bad | Hi, 2 | Ho | {evaluation.failures[0].reason} |",
        f"| bad | Hi, 2 |  | {evaluation.failures[1].reason} |",
    ]
    html = shown.get("text/html", "")
    assert html.count("<table") == 2
    assert "<summary>2 outputs below the full score</summary>" in html
    assert html.count("text-align: right") == 6 * 4


def test_only_the_first_failures_are_listed() -> None:
    """Ten of them, and how many there are more; long outputs are cut."""
    ten = evaluation_mimebundle(Evaluation([result("m", 0)] * 10))
    assert all("more:" not in str(text) for text in ten.values())
    eleven = evaluation_mimebundle(Evaluation([result("m", 0, output="a" * 121)] * 11))
    assert eleven.get("text/plain", "").endswith("\nand 1 more: .failures")
    assert eleven.get("text/markdown", "").endswith("\n\nand 1 more: .failures")
    assert "and 1 more: .failures</details>" in eleven.get("text/html", "")
    assert eleven.get("text/plain", "").count(f" {'a' * 119}… ") == 10


def test_an_evaluation_without_failures_has_one_table() -> None:
    """Nor does one of nothing have another."""
    for results in ([result("m", 1)], []):
        shown = evaluation_mimebundle(Evaluation(results))
        assert shown.get("text/html", "").count("<table") == 1
        assert "<details" not in shown.get("text/html", "")
        assert "Reason" not in shown.get("text/plain", "")
        assert "\n\n" not in shown.get("text/markdown", "")
        assert not shown.get("text/plain", "").endswith("\n")
