"""`ask` and `compare`: one question, whose replies are a widget that streams."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm

import chatnb
from chatnb.chat_models import ScriptedChatModel
from chatnb.errors import ServerError
from chatnb.schema import AIMessage, HumanMessage, SystemMessage
from tests.support.recording_model import Asked


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The data of the messages that comms send."""
    messages: list[dict[str, Any]] = []

    class Comm(BaseComm):
        def publish_msg(self, msg_type: str, data: Any = None, *_: Any, **__: Any) -> None:
            messages.append(data)

    monkeypatch.setattr(comm, "create_comm", Comm)
    return messages


def test_the_reply_streams_to_whoever_opens_it(sent: list[dict[str, Any]]) -> None:
    """Deltas come while the model writes, and the state of its end is complete."""
    opened = threading.Event()

    class Waiting(ScriptedChatModel):
        async def _astream(self, *given: Any, **more: Any) -> AsyncGenerator[Any, None]:
            while not opened.is_set():  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            async for chunk in super()._astream(*given, **more):
                yield chunk

    reply = chatnb.ask("Hi", Waiting(["Hello **you**."]))
    assert reply.busy
    assert reply.model_id
    opened.set()
    assert reply.result(30).text == "Hello **you**."
    deltas = [data["content"]["text"] for data in sent if data.get("method") == "custom"]
    assert "".join(deltas) == "Hello **you**."
    assert (reply.value, reply.busy, reply.phase) == ("Hello **you**.", False, "done")
    assert reply.snapshot["text"] == "Hello **you**."
    # The static form has all of it, with sources and pictures, which the widget has not.
    shown, _ = reply.mimebundle("mounted")
    assert "chatnb-mount" not in shown.get("text/html", "")
    reply.close()


def test_messages_system_prompts_and_parameters_reach_the_model() -> None:
    """A text or messages, with the system prompt before them."""
    model = Asked(["Yes."])
    chatnb.ask("Hi", model, system="Be brief.", temperature=0.5).result(30)
    chatnb.ask([HumanMessage("Hi")], model).result(30)
    (first, params), (second, _) = model.asked
    assert first == [SystemMessage("Be brief."), HumanMessage("Hi")]
    assert params["temperature"] == 0.5
    assert second == [HumanMessage("Hi")]


def test_a_reply_that_breaks_off_keeps_its_text_and_raises() -> None:
    """The static form has the text, the error and no active content."""
    broken = ScriptedChatModel([["Half <b>a", ServerError("Overloaded.", hint="Try again.")]])
    reply = chatnb.ask("Hi", broken)
    with pytest.raises(ServerError):
        reply.result(30)
    static = reply.static_mimebundle()
    assert "Overloaded." in static["text/plain"]
    assert "Half &lt;b&gt;a" in static["text/html"]
    assert "chatnb-mount" not in static["text/html"]


def test_compared_models_stream_into_one_widget(sent: list[dict[str, Any]]) -> None:
    """Deltas name their column; the state of the end is complete, for a view that comes later."""
    models = {"one": ScriptedChatModel(["First *a*."]), "two": ScriptedChatModel(["Second."])}
    replies = chatnb.compare("Hi", models, temperature=0.5)
    assert replies.model_id
    assert {name: m.text for name, m in replies.result(30).items()} == {
        "one": "First *a*.",
        "two": "Second.",
    }
    assert replies.value == {"one": "First *a*.", "two": "Second."}
    assert not replies.busy
    assert [snapshot["text"] for snapshot in replies.snapshots] == ["First *a*.", "Second."]
    assert [(c["model_name"], c["phase"]) for c in replies.columns] == [
        ("one", "done"),
        ("two", "done"),
    ]
    assert all("s" in column["footer"] for column in replies.columns)
    replies.close()


def test_observers_of_a_comparison_hear_of_its_end() -> None:
    """`busy` and `value` are traits to observe, also by functions that ask models."""
    ended, texts = threading.Event(), list[Any]()

    def note(change: Any) -> None:
        if not change.new:
            texts.append(chatnb.ask("Hi", "scripted:Third.").result(30).text)
            ended.set()

    observed = threading.Event()

    class Slow(ScriptedChatModel):
        """A model that answers when it is observed."""

        async def _astream(self, *args: Any, **params: Any) -> AsyncGenerator[Any, None]:
            assert await asyncio.to_thread(observed.wait, 30)
            async for chunk in super()._astream(*args, **params):
                yield chunk

    models = {"slow": Slow(["First."]), "quick": "scripted:Second."}
    replies = chatnb.compare("Hi", models)
    replies.observe(note, "busy")
    observed.set()
    replies.result(30)
    replies.notify()
    assert ended.wait(30)
    assert texts[0] == "Third."


def test_a_comparison_keeps_what_came_and_fails_only_if_all_do() -> None:
    """As in a cell: the error is in its column, escaped as all that stays."""
    broken = ScriptedChatModel([["Half <b>a", ServerError("Overloaded.", hint="Try again.")]])
    half = chatnb.compare("Hi", {"broken": broken, "fine": "scripted:Fine."})
    assert half.result(30)["broken"].text == "Half <b>a"
    static = half.static_mimebundle()
    assert static["text/plain"].startswith("broken\nHalf <b>a\nServerError: Overloaded.")
    assert "Half &lt;b&gt;a" in static["text/html"]
    assert "chatnb-mount" not in static["text/html"]
    again = ScriptedChatModel([["", ServerError("Overloaded.")]])
    with pytest.raises(ServerError):
        chatnb.compare("Hi", {"one": broken, "two": again}).result(30)


def test_a_reply_in_a_container_shows_what_is_not_its_text() -> None:
    """Pictures, sources and errors stand below the text of the widget, not in its value."""
    note = {"type": "url_citation", "url": "https://example.org/a", "title": "Example"}
    drawn = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    kwargs: dict[str, Any] = {"annotations": [note], "images": [drawn]}
    cited = ScriptedChatModel([AIMessage("Yes.", additional_kwargs=kwargs)] * 2)
    failing = ScriptedChatModel([ServerError("Broken.")])
    reply = chatnb.ask("Really?", cited)
    reply.result(30)
    compared = chatnb.compare("Really?", {"cited": cited, "failing": failing})
    compared.result(30)
    shown = [(reply.snapshot, reply.media), (compared.snapshots[0], compared.media[0])]
    for snapshot, media in shown:
        assert snapshot["text"].startswith("Yes.\n\n")
        assert "[Example](https://example.org/a)" in snapshot["text"]
        assert "image/png" not in snapshot["text"]
        assert media == ["data:image/png;base64,iVBORw0KGgo="]
    assert compared.media[1] == []
    assert reply.value == compared.value["cited"] == "Yes."
    assert "Broken" in compared.snapshots[1]["text"]


@pytest.mark.slow
def test_a_comparison_can_be_awaited_and_stopped() -> None:
    """Stop ends all replies and keeps what came of them."""
    endless = ScriptedChatModel(["word " * 100_000], delay=0.01)

    async def stop_once_begun() -> Any:
        replies = chatnb.compare("Hi", {"one": endless, "two": endless})
        while not all(replies.value.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        replies.stop()
        return await replies

    messages = asyncio.run(stop_once_begun())
    assert {m.response_metadata["finish_reason"] for m in messages.values()} == {"stopped"}
    assert all(message.text.startswith("word") for message in messages.values())


@pytest.mark.parametrize(
    ("models", "told"),
    [
        ([], "two models or more"),
        (["scripted:a"], "two models or more"),
        ({"a": "scripted:a"}, "two models or more"),
        ("scripted:a,scripted:b", "takes a list of models"),
        (["scripted:a", "scripted:b", "scripted:a"], "scripted:a twice"),
        ([ScriptedChatModel(["a"])] * 2, "Name the columns"),
    ],
)
def test_too_few_models_or_names_are_refused(models: Any, told: str) -> None:
    """Before any of them is asked."""
    with pytest.raises(ValueError, match=told):
        chatnb.compare("Hi", models)


class Held(ScriptedChatModel):
    """A model that writes a half of its reply, and the rest when it may."""

    _may_end = threading.Event()

    async def _astream(self, *given: Any, **more: Any) -> AsyncGenerator[Any, None]:
        chunks = [chunk async for chunk in super()._astream(*given, **more)]
        yield chunks[0]
        assert await asyncio.to_thread(self._may_end.wait, 30)
        for chunk in chunks[1:]:
            yield chunk


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    monkeypatch.setattr(Held, "_may_end", threading.Event())
    return Held([["Half", " and half."]])


async def begun(replies: Any) -> None:
    """Wait for the first half of each reply."""
    while not (all(replies.value.values()) if isinstance(replies.value, dict) else replies.value):  # noqa: ASYNC110
        await asyncio.sleep(0.001)


def forms(replies: chatnb.ChatReply | chatnb.ChatComparison, mount: str = "") -> tuple[str, str]:
    """Return the text and the HTML that stay."""
    static = replies.static_mimebundle(mount)
    return static.get("text/plain", ""), static.get("text/html", "")


def test_a_reply_that_takes_too_long_goes_on(held: Held) -> None:
    """A wait of no time ends with an error; a later one has the reply."""
    reply = chatnb.ask("Hi", held)
    compared = chatnb.compare("Hi", {"held": held, "quick": "scripted:Quick."})
    for replies in (reply, compared):
        with pytest.raises(TimeoutError, match=r"^No answer within 0\.001 s$"):
            replies.result(0.001)
        assert replies.busy
    held._may_end.set()
    assert reply.result(timeout=30).text == "Half and half."
    texts = {name: message.text for name, message in compared.result().items()}
    assert texts == {"held": "Half and half.", "quick": "Quick."}
    assert not compared.busy


def test_what_has_come_so_far_is_static(held: Held) -> None:
    """In plain text as well, of one reply and of several."""
    reply = chatnb.ask("Hi", held)
    compared = chatnb.compare("Hi", {"held": held, "quick": "scripted:Quick."})
    asyncio.run(begun(reply))
    asyncio.run(begun(compared))
    assert forms(reply)[0] == "Half"
    assert forms(compared)[0].startswith("held\nHalf\n\nquick\nQuick.")
    for replies in (reply, compared):
        assert "chatnb-mount" not in forms(replies)[1]
        assert "chatnb-mount" in forms(replies, "abc")[1]
    held._may_end.set()
    reply.result(30)
    compared.result(30)
    assert forms(reply)[0].startswith("Half and half.")


def test_a_reply_tells_what_to_do_with_it() -> None:
    """Its repr names the model and the ways to wait for it."""
    reply = chatnb.ask("Hi", ScriptedChatModel(["Yes."], model_name="oracle"))
    assert repr(reply) == "<the reply of oracle: await it, or call its result()>"
    compared = chatnb.compare("Hi", {"one": "scripted:a", "two": "scripted:b"})
    assert repr(compared) == "<the replies of one, two: await them, or call result()>"
    reply.result(30)
    compared.result(30)


def test_a_reply_can_be_awaited() -> None:
    """As the message, or as the error that it failed with."""

    async def awaited() -> str:
        return (await chatnb.ask("Hi", "scripted:Yes.")).text

    async def failed() -> None:
        await chatnb.ask("Hi", ScriptedChatModel([ServerError("Overloaded.")]))

    assert asyncio.run(awaited()) == "Yes."
    with pytest.raises(ServerError, match="Overloaded"):
        asyncio.run(failed())


@pytest.mark.parametrize("compares", [False, True])
def test_a_reply_that_is_closed_is_stopped(held: Held, compares: bool) -> None:
    """The text that had come stays."""
    replies = chatnb.compare("Hi", {"a": held, "b": held}) if compares else chatnb.ask("Hi", held)
    asyncio.run(begun(replies))
    replies.close()
    result = replies.result(30)
    for message in result.values() if isinstance(result, dict) else [result]:
        assert message.text == "Half"
        assert message.response_metadata["finish_reason"] == "stopped"


def test_a_program_that_runs_a_notebook_gets_the_whole_reply(
    bare_shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output is made when the reply has ended; in a terminal it is text."""
    bare_shell.display_formatter.ipython_display_formatter(chatnb.ask("Hi", "scripted:Whole."))
    out = capsys.readouterr().out
    assert out.startswith("Whole.")
