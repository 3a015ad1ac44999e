"""`python -m chatnb plan`."""

from __future__ import annotations

import re

import pytest

from chatnb.chat_models.model_families import DEFAULT_MODELS
from chatnb.cli import main

TEN_MILLION = ["plan", "--prompts", "10_000_000", "--model", "openai:gpt-4o-mini"]


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*TEN_MILLION, *arguments]) == 0
    return capsys.readouterr().out


# Arguments, and what the plan says about its limit and its time.
PLANS: dict[str, tuple[list[str], str, str]] = {
    "one process": ([], "calls at a time: 1 x 64 / 2 s = 32.0", "3.6 days"),
    "requests": (["--rpm", "1000"], "requests a minute: 1,000 / 60 s = 16.7", "6.9 days"),
    "tokens": (["--tpm", "240000"], "tokens a minute: 240,000 / 60 s / 400 = 10.0", "11.6 days"),
    "work": (
        ["--workers", "4", "--concurrency", "9_000", "--rpm", "1e9"],
        "work of 4 processes: 4 / 0.003 s = 1,333.3",
        "2.1 hours",
    ),
}


@pytest.mark.parametrize(("arguments", "limit", "time"), PLANS.values(), ids=PLANS)
def test_the_slowest_limit_sets_the_time(
    arguments: list[str], limit: str, time: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each limit has its arithmetic, and the slowest is marked."""
    out = printed(capsys, *arguments)
    assert f"{limit}  <- the limit" in out
    assert out.count("<- the limit") == 1
    assert re.search(rf"Time: .* = {time}", out)


def test_the_cost_is_that_of_the_price_list(capsys: pytest.CaptureFixture[str]) -> None:
    """With that of a batch API, and a word where there is no price."""
    out = printed(capsys, "--input-tokens", "1000", "--output-tokens", "500")
    assert "= $4,500.00" in out
    assert "0.5 x $4,500.00 = $2,250.00" in out
    assert "chat.submit" not in printed(capsys, "--model", "deepseek:deepseek-chat")
    assert "the price of openai:new is not known" in printed(capsys, "--model", "openai:new")


# Everything that is printed without limits, and with a limit of each kind.
WHOLE: dict[str, tuple[list[str], str]] = {
    "defaults": (
        ["--prompts", "1"],
        """\
Calls a second:
  calls at a time: 1 x 64 / 2 s = 32.0  <- the limit
  work of 1 processes: 1 / 0.003 s = 333.3
Time: 1 / 32.0 a second = 0 seconds
Cost: 1 x $0.0001050 (300 tokens in, 100 out, openai:gpt-4o-mini) = $0.00
Batch API (chat.submit): 0.5 x $0.00 = $0.00
Checkpoint: 1 replies = 0.0 GB
""",
    ),
    "every limit": (
        [
            "--rpm",
            "5,000.5",
            "--tpm",
            "90000",
            "--workers",
            "2",
            "--concurrency",
            "8",
            "--seconds",
            "0.5",
            "--input-tokens",
            "1_000",
            "--output-tokens",
            "250",
            "--model",
            "other:model",
        ],
        """\
Calls a second:
  calls at a time: 2 x 8 / 0.5 s = 32.0
  work of 2 processes: 2 / 0.003 s = 666.7
  requests a minute: 5,000 / 60 s = 83.3
  tokens a minute: 90,000 / 60 s / 1,250 = 1.2  <- the limit
Time: 10,000,000 / 1.2 a second = 96.5 days
Cost: the price of other:model is not known (1,000 tokens in, 250 out a call)
Checkpoint: 10,000,000 replies = 17.0 GB
""",
    ),
}


@pytest.mark.parametrize(("arguments", "out"), WHOLE.values(), ids=WHOLE)
def test_the_whole_plan(arguments: list[str], out: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every line, with the numbers that the arguments leave as they are."""
    assert printed(capsys, *arguments) == out


@pytest.mark.parametrize(
    ("prompts", "time"),
    [
        (119, "119 seconds"),
        (120, "2.0 minutes"),
        (7_199, "120.0 minutes"),
        (7_200, "2.0 hours"),
        (172_799, "48.0 hours"),
        (172_800, "2.0 days"),
    ],
)
def test_times_have_a_unit_of_which_there_are_two(
    prompts: int, time: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """At one call a second, from two of a unit on."""
    out = printed(capsys, "--prompts", str(prompts), "--rpm", "60")
    assert f"Time: {prompts:,} / 1.0 a second = {time}\n" in out


def test_the_model_and_the_input_have_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    """The model that answers where none is named; only the prompts must be counted."""
    assert main(["plan", "--prompts", "5"]) == 0
    out = capsys.readouterr().out
    assert f"(300 tokens in, 100 out, openai:{DEFAULT_MODELS['openai']})" in out
    with pytest.raises(SystemExit):
        main(["plan"])
    assert "required: --prompts" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--prompts", "0"],
        ["--rpm", "-1"],
        ["--rpm", "nan"],
        ["--rpm", "inf"],
        ["--seconds", "0"],
    ],
)
def test_numbers_that_are_none_are_refused(arguments: list[str]) -> None:
    """As other wrong arguments are."""
    with pytest.raises(SystemExit) as exited:
        main([*TEN_MILLION, *arguments])
    assert exited.value.code == 2


def test_a_model_without_a_provider_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The error says how it is written."""
    with pytest.raises(SystemExit):
        main([*TEN_MILLION, "--model", "gpt-4o-mini"])
    assert "--model takes PROVIDER:MODEL" in capsys.readouterr().err
