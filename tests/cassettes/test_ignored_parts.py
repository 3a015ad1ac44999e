"""Parts of requests that do not count when a reply is looked for."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from chatnb import ScriptedChatModel
from chatnb.cassettes.cassette import cassette
from chatnb.cassettes.ignored_parts import IgnoredParts
from chatnb.errors import CassetteMissError, ConfigurationError

REQUEST: dict[str, Any] = {
    "http": "POST https://a.org/v1?at=12",
    "body": {"n": 1, "metadata": {"run": "r1"}, "messages": [{"role": "user", "id": "m1"}]},
}


@pytest.mark.parametrize(
    ("parts", "change", "alike"),
    [
        (["body.n"], {"n": 2}, True),
        (["body.metadata"], {"metadata": {"run": "r2", "more": 1}}, True),
        (["body.metadata.run"], {"metadata": {"run": "r2"}}, True),
        (["body.metadata.run"], {"metadata": {"run": "r1", "more": 1}}, False),
        (["body.metadata.run"], {"metadata": {}}, True),
        (["body.messages.id"], {"messages": [{"role": "user", "id": "m2"}]}, True),
        (["body.messages.id"], {"messages": [{"role": "system", "id": "m1"}]}, False),
        (["/r[0-9]/"], {"metadata": {"run": "r2"}}, True),
        (["/r[0-9]/"], {"metadata": {"run": "x2"}}, False),
        (["body"], {"n": 3}, True),
        (["n"], {"n": 2}, False),
        ([], {"n": 2}, False),
    ],
)
def test_requests_are_alike_without_these_parts(
    parts: list[str], change: dict[str, Any], alike: bool
) -> None:
    """Fields by their path, also within lists; parts of texts by expressions; nothing else."""
    ignored = IgnoredParts(parts)
    other = {**REQUEST, "body": {**REQUEST["body"], **change}}
    assert (ignored.without(REQUEST) == ignored.without(other)) is alike


@pytest.mark.parametrize("part", ["", "/", "//", "/(/", " ", 1, None])
def test_what_cannot_be_ignored_is_refused(part: Any) -> None:
    """With what to write instead."""
    with pytest.raises(ConfigurationError, match=r"regular expression"):
        IgnoredParts([part])


def test_a_prompt_with_the_time_is_found_again(tmp_path: Path) -> None:
    """In a replay and in another recording; other prompts are not."""
    chat = ScriptedChatModel(["one", "two"])
    path = tmp_path / "calls.yaml"
    for _ in range(3):
        with cassette(path, "record", ignore=["/at [0-9.]+/"]):
            assert chat.invoke(f"Said at {time.time()}.").text == "one"
    with cassette(path, "replay", ignore=["/at [0-9.]+/"]):
        assert chat.invoke("Said at 1.5.").text == "one"
        with pytest.raises(CassetteMissError):
            chat.invoke("Said by 1.5.")
    assert path.read_text().count("- request:") == 1
