"""`python -m chatnb plan`."""

from __future__ import annotations

import re

import pytest

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


@pytest.mark.parametrize(
    "arguments", [["--prompts", "0"], ["--rpm", "-1"], ["--rpm", "nan"], ["--seconds", "0"]]
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
