from __future__ import annotations

import pytest

from chatnb import AIMessage, Conversation, HumanMessage
from chatnb.schema import AIMessageChunk, SystemMessage, ToolMessage
from chatnb.schema.tool_calls import tool_call


def said(talk: Conversation) -> list[str]:
    return [message.text for message in talk.messages]


def test_the_same_name_resumes_with_messages_settings_and_path() -> None:
    """Messages that one object was told another finds, as after a restart."""
    talk = Conversation("ideas")
    talk.system, talk.model, talk.temperature = "Be brief.", "local:smollm2", 0.5
    talk.add(HumanMessage("one"))
    talk.add(AIMessage("1"), facts={"seconds": 0.5})
    again = Conversation("ideas")
    assert again.messages == [HumanMessage("one"), AIMessage("1")]
    assert again.path()[1].facts == {"seconds": 0.5}
    assert (again.system, again.model, again.temperature) == ("Be brief.", "local:smollm2", 0.5)
    assert again.request_messages("two")[0] == SystemMessage("Be brief.")
    again.system = None
    assert Conversation("ideas").system is None


def test_an_edit_is_a_branch_and_nothing_is_overwritten() -> None:
    """Both questions stay, each with its own answers, and the path that was chosen resumes."""
    talk = Conversation("ideas")
    first = talk.add(HumanMessage("one"))
    talk.add(AIMessage("1"))
    edited = talk.add(HumanMessage("uno"), parent=first.parent)
    talk.add(AIMessage("I"))
    assert said(talk) == ["uno", "I"]
    assert talk.branches(edited.id) == talk.branches(first.id) == [first.id, edited.id]
    talk.select(first.id)
    assert said(talk) == said(Conversation("ideas")) == ["one", "1"]


def test_select_goes_on_along_the_newest() -> None:
    """Of several answers to a question the latest is shown."""
    talk = Conversation("ideas")
    first = talk.add(HumanMessage("one"))
    for answer in ("a", "b"):
        talk.add(AIMessage(answer), parent=first.id)
    talk.add(HumanMessage("other"), parent=None)
    talk.select(first.id)
    assert said(talk) == ["one", "b"]


def test_a_path_that_was_ended_stays_so_until_somebody_goes_on_from_there() -> None:
    """`end_at` leaves what followed as a branch, and a refresh does not bring it back."""
    talk = Conversation("ideas")
    first = talk.add(HumanMessage("one"))
    talk.add(AIMessage("1"))
    talk.end_at(first.id)
    talk.system = "Be brief."
    assert said(talk) == said(Conversation("ideas")) == ["one"]
    talk.end_at(None)
    assert said(talk) == said(Conversation("ideas")) == []


def test_delete_hides_a_message_and_what_follows_it_and_restore_brings_it_back() -> None:
    """Nothing is lost but by `forget`; what had been deleted before stays deleted."""
    talk = Conversation("ideas")
    talk.add(HumanMessage("one"))
    reply = talk.add(AIMessage("1"))
    second = talk.add(HumanMessage("two"))
    talk.delete(second.id)
    assert said(talk) == said(Conversation("ideas")) == ["one", "1"]
    third = talk.add(HumanMessage("three"))
    talk.delete(reply.id)
    assert said(talk) == ["one"]
    with pytest.raises(LookupError, match="no message"):
        talk.select(third.id)
    talk.restore(reply.id)
    assert said(talk) == ["one", "1", "three"]


def test_deleting_one_of_several_shows_another() -> None:
    """Of several answers to a question, the newest takes the place."""
    talk = Conversation("ideas")
    asked = talk.add(HumanMessage("one"))
    talk.add(AIMessage("a"), parent=asked.id)
    second = talk.add(AIMessage("b"), parent=asked.id)
    talk.delete(second.id)
    assert said(talk) == ["one", "a"]


def test_a_notebook_sees_what_another_went_on_with_and_keeps_its_own_branch() -> None:
    """The path grows with what follows its end; a branch elsewhere does not tear it away."""
    here, there = Conversation("ideas"), Conversation("ideas")
    asked = here.add(HumanMessage("one"))
    assert there.refresh()
    there.add(AIMessage("1"))
    assert said(here) == ["one", "1"]
    there.add(HumanMessage("other"), parent=None)
    assert said(here) == ["one", "1"]
    assert len(here.branches(asked.id)) == 2
    assert not here.refresh()


def test_a_question_beside_a_reply_that_streams_is_a_branch() -> None:
    """A question asked meanwhile has not seen that reply; afterwards both turns are there."""
    here, there = Conversation("ideas"), Conversation("ideas")
    here.add(HumanMessage("one"))
    draft = here.begin_reply()
    assert there.request_messages("two") == [HumanMessage("two")]
    there.add(HumanMessage("two"))
    draft.finish(AIMessage("1"))
    there.add(AIMessage("2"))
    assert said(here) == ["one", "1"]
    assert said(there) == ["two", "2"]
    assert len(here.branches(here.path()[0].id)) == 2


@pytest.mark.parametrize("status", ["stopped", "failed"])
def test_a_reply_that_did_not_end_keeps_its_partial_and_says_so(status: str) -> None:
    """The pieces that came are the message, marked in its metadata."""
    talk = Conversation("ideas")
    talk.add(HumanMessage("one"))
    draft = talk.begin_reply(facts={"model": "m"})
    draft.append(AIMessageChunk("Ha"))
    draft.append(AIMessageChunk("lf"))
    draft.finish(status=status, facts={"seconds": 1.0})  # type: ignore[arg-type]
    draft.finish(AIMessage("twice"))
    node = Conversation("ideas").path()[-1]
    assert (node.message.text, node.status) == ("Half", status)
    assert node.message.response_metadata["finish_reason"] == status
    assert node.facts == {"model": "m", "seconds": 1.0}


def test_what_providers_refuse_is_not_asked() -> None:
    """An empty reply is left out, and a call that was never run has a result that says so."""
    talk = Conversation("ideas")
    talk.add(HumanMessage("one"))
    talk.add(AIMessage(""), status="stopped")
    talk.add(HumanMessage("two"))
    calls = [tool_call(name="f", args={}, id=id) for id in ("a", "b")]
    talk.add(AIMessage("", tool_calls=calls))
    talk.add(ToolMessage("4", tool_call_id="a"))
    kinds = [message.type for message in talk.request_messages("three")]
    assert kinds == ["human", "human", "ai", "tool", "tool", "human"]


def test_starting_again_sets_aside_what_was_said() -> None:
    """The name is free again, and what was said goes on under another, system prompt and all."""
    talk = Conversation("ideas")
    talk.system = "Be brief."
    talk.add(HumanMessage("one"))
    aside = talk.start_again()
    assert aside == "ideas.2"
    assert (talk.messages, talk.system) == ([], None)
    old = Conversation(aside)
    assert (old.messages, old.system) == ([HumanMessage("one")], "Be brief.")


@pytest.mark.parametrize("first", ["forget", "start again"])
@pytest.mark.parametrize("earlier", [1, 2, 3])
@pytest.mark.parametrize("later", [1, 2, 3])
def test_what_was_begun_again_elsewhere_is_another_conversation(
    first: str, earlier: int, later: int
) -> None:
    """A notebook that still has the old one shows the new one alone, with its settings, however
    many changes both have had; and goes on in it."""
    here, there = Conversation("ideas"), Conversation("ideas")
    here.system = "Be brief."
    for number in range(earlier):
        here.add(HumanMessage(f"old {number}"))
    there.refresh()
    there.forget() if first == "forget" else there.start_again()
    for number in range(later):
        there.add(HumanMessage(f"new {number}"))
    there.select(there.add(HumanMessage("side"), parent=None).id)
    there.select(there.nodes()[0].id)
    assert here.refresh()
    assert not here.refresh()
    new = [f"new {number}" for number in range(later)]
    assert (said(here), here.system, here.elsewhere) == (new, None, 1)
    here.add(HumanMessage("more"))
    assert said(there) == said(here) == [*new, "more"]


def test_what_was_forgotten_elsewhere_is_gone() -> None:
    """It is told as a change, once."""
    here, there = Conversation("ideas"), Conversation("ideas")
    here.add(HumanMessage("one"))
    there.forget()
    assert here.refresh()
    assert not here.refresh()
    assert (said(here), here.nodes(), here.tip) == ([], [], None)


def test_a_name_that_says_nothing_is_refused() -> None:
    """A conversation without a name could not be found again."""
    with pytest.raises(ValueError, match="needs a name"):
        Conversation(" ")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        *(("é 中 🎉", True), (" a ", True), ("x" * 200, True), ("x" * 201, False)),
        *(("a\nb", False), ("a\tb", False), ("a\x1b", False), ("a\u202e", False)),
        ("\ud83d", False),
    ],
)
def test_a_name_is_a_line_that_can_be_shown(name: str, is_one: bool) -> None:
    """Of not too many characters; the error shows its beginning."""
    if is_one:
        assert Conversation(name).name == name
        return
    with pytest.raises(ValueError, match="one line of at most 200 characters, not ") as raised:
        Conversation(name)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    "use", ["node", "branches", "select", "end_at", "delete", "restore", "add", "replying"]
)
def test_a_message_that_is_not_there_is_named(use: str) -> None:
    """By whatever method, and nothing changes."""
    talk = Conversation("ideas")
    talk.add(HumanMessage("one"))
    with pytest.raises(LookupError, match="'ideas' has no message 'x'"):
        talk.add(AIMessage("1"), parent="x") if use == "add" else getattr(talk, use)("x")
    assert said(talk) == ["one"]


def test_deleting_a_message_beside_the_path_leaves_the_path() -> None:
    """The other branch goes, and comes back as the path."""
    talk = Conversation("ideas")
    first = talk.add(HumanMessage("one"))
    other = talk.add(HumanMessage("other"), parent=None)
    talk.add(AIMessage("2"))
    talk.select(first.id)
    talk.add(AIMessage("1"))
    talk.delete(other.id)
    assert (said(talk), talk.elsewhere) == (["one", "1"], 0)
    assert said(Conversation("ideas")) == ["one", "1"]
    talk.restore(other.id)
    assert (said(talk), talk.elsewhere) == (["other", "2"], 2)


def test_a_question_of_any_kind_ends_a_request() -> None:
    """After the system prompt, if there is one, and what was said before."""
    talk = Conversation("ideas")
    assert talk.request_messages("Hi") == [HumanMessage("Hi")]
    assert talk.messages_through(None) == []
    talk.system = "Be brief."
    node = talk.add(HumanMessage("one"))
    talk.add(AIMessage("1"))
    image = HumanMessage([{"type": "image", "url": "u"}])
    system = SystemMessage("Be brief.")
    assert talk.request_messages(image) == [system, HumanMessage("one"), AIMessage("1"), image]
    assert talk.messages_through(node.id) == [system, HumanMessage("one")]
    assert talk.messages_through(None) == [system]


def test_an_empty_conversation_can_be_started_again() -> None:
    """There is nothing to be set aside."""
    assert Conversation("ideas").start_again() is None
    assert Conversation("ideas").tip is None
