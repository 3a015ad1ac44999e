"""Calls as trackers see them: usage, times and endings, by a clock of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from chatnb import RateLimiter
from chatnb.chat_models import ScriptedChatModel, init_chat_model
from chatnb.chat_models.call_tracking import TrackedCall, track_call
from chatnb.errors import BudgetSpentError, ConfigurationError, ServerError
from chatnb.schema import AIMessage, AIMessageChunk, HumanMessage
from chatnb.schema.model_call import ModelCall
from chatnb.schema.usage import UsageMetadata

MODEL: Any = SimpleNamespace(model_name="m", provider="p")
ASKED = [HumanMessage("Hi")]


class Tracker:
    """A tracker that keeps calls, or admits none."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls, self._error = list[ModelCall](), error

    def admit(self) -> None:
        if self._error is not None:
            raise self._error

    def record(self, call: ModelCall) -> None:
        self.calls.append(call)


class Clock:
    """A clock that goes on by a second with each look."""

    def __init__(self) -> None:
        self.now = 10.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def tokens(count: int) -> UsageMetadata:
    return UsageMetadata(input_tokens=count, output_tokens=1, total_tokens=count + 1)


def tracked(work: Callable[[TrackedCall], object]) -> ModelCall | None:
    """Return the call that trackers get of some work within one."""
    tracker = Tracker()
    call = TrackedCall(MODEL, ASKED, (tracker,), Clock())
    try:
        with call:
            work(call)
    except (Exception, KeyboardInterrupt):
        pass
    return tracker.calls[0] if tracker.calls else None


def fields(call: ModelCall | None) -> dict[str, Any]:
    """The fields of a call that say something, but those that each has."""
    given = {} if call is None else vars(call)
    always = {"model", "provider", "prompt", "position", "id", "started"}
    return {name: value for name, value in given.items() if value and name not in always}


def reply(call: TrackedCall) -> None:
    call.admit()
    call.add_reply(
        AIMessage("a", usage_metadata=tokens(3), response_metadata={"finish_reason": "x"})
    )


def stream(call: TrackedCall) -> None:
    call.admit()
    first = AIMessageChunk("", response_metadata={"model_name": "other"})
    last = AIMessageChunk("", usage_metadata=tokens(3), response_metadata={"finish_reason": "x"})
    chunks = [first, AIMessageChunk("a"), AIMessageChunk("b"), last]
    assert list(call.tracked(iter(chunks))) == chunks


def limited(call: TrackedCall) -> None:
    call.admit()
    call.restart()
    call.restart()


def replayed(call: TrackedCall) -> None:
    call.admit()
    call.restart()
    call.follow_recording(iter([0.5, 2.0]).__next__)
    call.add_chunk(AIMessageChunk("a"))


def cached(call: TrackedCall) -> None:
    call.add_reply(AIMessage("a", response_metadata={"from_cache": True}))


def failed(call: TrackedCall) -> None:
    call.admit()
    raise ServerError("No.", partial=AIMessage("a", usage_metadata=tokens(3)))


def failed_late(call: TrackedCall) -> None:
    reply(call)
    raise ServerError("No.", partial=AIMessage("a", usage_metadata=tokens(7)))


def failed_without_partial(call: TrackedCall) -> None:
    call.admit()
    raise ValueError("No.")


def interrupted(call: TrackedCall) -> None:
    call.admit()
    raise KeyboardInterrupt


def checkpointed(call: TrackedCall) -> None:
    call.add_reply(AIMessage("a", usage_metadata=tokens(3)))


@pytest.mark.parametrize(
    ("work", "seen"),
    [
        (reply, {"usage": tokens(3), "finish_reason": "x", "seconds": 1.0}),
        (
            stream,
            {"usage": tokens(3), "finish_reason": "x", "first_seconds": 1.0, "seconds": 2.0},
        ),
        (limited, {"queue_seconds": 2.0, "seconds": 1.0}),
        (replayed, {"replayed": True, "first_seconds": 0.5, "seconds": 2.0}),
        (cached, {"cached": True}),
        (failed, {"error": "ServerError", "usage": tokens(3), "seconds": 1.0}),
        (
            failed_late,
            {"error": "ServerError", "usage": tokens(3), "finish_reason": "x", "seconds": 1.0},
        ),
        (failed_without_partial, {"error": "ValueError", "seconds": 1.0}),
        (interrupted, {"finish_reason": "stopped", "seconds": 1.0}),
        (checkpointed, {}),
        (lambda call: None, {}),
    ],
)
def test_a_call_is_told_of_at_its_end(
    work: Callable[[TrackedCall], object], seen: dict[str, Any]
) -> None:
    """Its tokens, its times and how it ended; one that was not made is not told of."""
    call = tracked(work)
    assert fields(call) == seen
    assert (call is None) is (seen == {})
    if call is not None:
        assert call.model == ("other" if work is stream else "m")
        assert (call.provider, call.prompt) == ("p", "Hi")


def test_a_call_that_a_tracker_refuses_is_not_told_of() -> None:
    """No tracker gets it, whichever refuses."""
    trackers = Tracker(), Tracker(BudgetSpentError("spent"))
    with pytest.raises(BudgetSpentError), TrackedCall(MODEL, ASKED, trackers, Clock()) as call:
        call.admit()
    assert [tracker.calls for tracker in trackers] == [[], []]


def test_a_call_without_trackers_costs_nothing() -> None:
    """It passes chunks on as they are."""
    chunks: Iterator[AIMessageChunk] = iter([AIMessageChunk("a")])
    with track_call(MODEL, ASKED) as call:
        call.admit()
        call.restart()
        assert call.tracked(chunks) is chunks
    tracker = Tracker()
    with track_call(MODEL, ASKED, tracker) as call:
        call.admit()
    assert len(tracker.calls) == 1


@pytest.mark.parametrize(
    ("given", "config", "said"),
    [
        ({"model": "scripted:a", "configurable_fields": "any"}, {}, "a"),
        ({"model": "scripted:a", "configurable_fields": "any"}, {"model": "scripted:b"}, "b"),
        ({"model": "scripted:a", "configurable_fields": ("x",)}, {"model": "scripted:b"}, "a"),
        ({}, {"model": "scripted:b", "other": 1}, "b"),
        ({}, {"model": "b", "model_provider": "scripted"}, "b"),
        ({"model_provider": "scripted"}, {"model": "b"}, "b"),
        (
            {"model": "scripted:a", "configurable_fields": "any", "config_prefix": "one"},
            {"model": "scripted:b", "one_model": "scripted:c"},
            "c",
        ),
        (
            {"model": "scripted:a", "configurable_fields": ("model",), "config_prefix": "one"},
            {"model": "scripted:b"},
            "a",
        ),
    ],
)
def test_the_config_of_a_run_chooses_the_model(
    given: dict[str, Any], config: dict[str, Any], said: str
) -> None:
    """As far as its fields may be set, and by their prefix, if they have one."""
    chat = init_chat_model(**given)
    assert chat.invoke("Hi", {"configurable": config}).text == said


def test_what_is_bound_goes_to_the_chosen_model() -> None:
    """Each change makes another model, and the first stays as it was."""
    plain = init_chat_model("scripted:a END b", configurable_fields="any", config_prefix="one")
    bound: Any = plain.bind(stop=["END"])
    config: Any = {"configurable": {"one_model": "scripted:c END d"}}
    assert [chat.invoke("Hi", config).text for chat in (plain, bound)] == ["c END d", "c "]
    assert [chat.invoke("Hi").text for chat in (plain, bound)] == ["a END b", "a "]
    assert repr(plain).startswith("ConfigurableChatModel(")


@pytest.mark.parametrize(("prefix", "field"), [(None, "model"), ("one", "one_model")])
def test_a_run_without_a_model_says_what_to_write(prefix: str | None, field: str) -> None:
    """The field of the config, by its whole name."""
    chat = init_chat_model(configurable_fields=("model",), config_prefix=prefix)
    needed = f'No model is chosen. Write config={{"configurable": {{"{field}": "openai:gpt-4o-mini"'
    with pytest.raises(ConfigurationError) as raised:
        chat.invoke("Hi")
    assert str(raised.value).startswith(needed)
    assert repr(chat) == "ConfigurableChatModel(no model)"


def test_a_limiter_takes_few_calls_at_once_however_long_nobody_called() -> None:
    """A slot of a model that shares it counts, too."""
    clock = Clock()
    limiter = RateLimiter(1, burst=2, clock=lambda: clock.now)
    chats = [ScriptedChatModel([str(number)]) for number in range(2)]
    for chat in chats:
        chat.rate_limiter = limiter
        chat.invoke("Hi")
    assert limiter.reserve() == 1.0
    clock.now += 100
    assert [limiter.reserve() for _ in range(3)] == [0.0, 0.0, 1.0]
