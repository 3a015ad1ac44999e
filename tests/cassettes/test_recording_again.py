"""Recording again writes nothing where nothing has changed, and changes in their place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from chatnb.cassettes.cassette import Cassette, Mode
from chatnb.cassettes.differences import reply_substance
from chatnb.cassettes.yaml_file import parse_cassette
from chatnb.chat_models import BaseChatModel
from chatnb.schema import AIMessage, BaseMessage


class Provider(BaseChatModel):
    """Replies as providers do: the same text under a new id, after another time."""

    model_name = "provider"

    def __init__(self, run: int, replies: Sequence[str] = ()) -> None:
        super().__init__()
        self._run, self._replies = run, list(replies)

    def _generate(self, messages: list[BaseMessage], **_: Any) -> AIMessage:
        text = self._replies.pop(0) if self._replies else f"{messages[-1].text}!"
        return AIMessage(text, id=f"chatcmpl-{self._run}8fA02b91c")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A cassette that is not recorded yet."""
    return tmp_path / "calls.yaml"


def run(
    file: Path,
    mode: Mode,
    prompts: Sequence[str],
    *,
    number: int = 1,
    replies: Sequence[str] = (),
    moment: str = "",
) -> None:
    """Ask a provider under a cassette, as a tested notebook does."""
    ticks = iter(range(0, 10**6, number))
    cassette = Cassette(file, mode, clock=lambda: next(ticks))
    if moment:
        cassette.note_moment(moment)
    with cassette:
        for prompt in prompts:
            Provider(number, replies).invoke(prompt)
        cassette.close(prune=True)


def prompts_in(file: Path) -> list[str]:
    calls = parse_cassette(file.read_text(), "calls").calls
    return [call["request"]["messages"][-1]["human"] for call in calls]


def test_a_refresh_without_a_change_leaves_the_file_as_it_was(file: Path) -> None:
    """New times, ids and the new moment are no change; equal requests keep their order."""
    prompts = ["a", "b", "a", "c"]
    run(file, "record", prompts, moment="2031-05-06T07:08:09+00:00")
    before = file.read_bytes()
    run(file, "refresh", prompts, number=2, moment="2032-01-01T00:00:00+00:00")
    assert file.read_bytes() == before


def test_a_refresh_rewrites_only_the_reply_that_has_changed(file: Path) -> None:
    """In its place, with the new moment, as the date may be in what was asked."""
    run(file, "record", ["a", "b", "c"], moment="2031-05-06T07:08:09+00:00")
    before = file.read_text().splitlines()
    replies = ["b, indeed"]
    ticks = iter(range(10**6))
    cassette = Cassette(file, "refresh", clock=lambda: next(ticks))
    cassette.note_moment("2032-01-01T00:00:00+00:00")
    with cassette:
        for prompt in ("a", "b", "c"):
            Provider(2, replies if prompt == "b" else ()).invoke(prompt)
    after = file.read_text().splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert [line.split(":")[0].strip("- ") for line in changed] == ["recorded_at", "text", "id"]
    assert changed[1].strip("- ") == "text: b, indeed"


@pytest.mark.parametrize("mode", ["record", "refresh"])
@pytest.mark.parametrize(
    "prompts",
    [["a", "B", "c"], ["A", "b", "c"], ["a", "b", "C"], ["a", "new", "b", "c"], ["c"], ["C", "a"]],
)
def test_a_changed_request_stays_in_its_place(file: Path, mode: Mode, prompts: list[str]) -> None:
    """Between the requests that it was between, and so does a new one."""
    run(file, "record", ["a", "b", "c"])
    run(file, mode, prompts, number=2)
    assert prompts_in(file) == prompts


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"id": "chatcmpl-8fA02b91"}, {"id": "chatcmpl-77Bc01aa"}, True),
        ({"id": 7}, {"id": 8}, False),
        ({"id": "DE"}, {"id": "FR"}, False),
        ({"created": 1_700_000_000}, {"created": 1_800_000_000}, True),
        ({"created": 3}, {"created": 4}, False),
        ({"args": {"id": "order-1000001"}}, {"args": {"id": "order-1000002"}}, False),
        (
            {"text": 'data: {"id": "msg_0123456789", "d": "a"}\n'},
            {"text": 'data: {"id": "msg_9876543210", "d": "a"}\n'},
            True,
        ),
        ({"text": 'data: {"d": "a"}\n'}, {"text": 'data: {"d": "b"}\n'}, False),
        ({"text": "data: [DONE"}, {"text": "data: [DONE]"}, False),
    ],
)
def test_only_times_and_random_ids_of_a_reply_are_left_out(
    one: dict[str, Any], other: dict[str, Any], equal: bool
) -> None:
    """Ids that are data, and the arguments of tools, are what was replied."""
    left, right = ({"response": {"status": 200, **body}} for body in (one, other))
    assert (reply_substance(left) == reply_substance(right)) is equal
