from __future__ import annotations

import pickle

import pytest
from pydantic import ValidationError

from chatnb.chat_models import ScriptedChatModel
from chatnb.errors import ContentFilterError, OutputParserError, StructuredOutputError
from chatnb.schema import AIMessage, HumanMessage
from chatnb.schema.messages import ToolMessage
from tests.support.structured_replies import (
    Person,
    Recorder,
    answer,
    both,
    called,
    last_grown,
)


@both
def test_an_invalid_answer_is_an_error_with_all_there_is(way: str) -> None:
    """The error names every field that is wrong and has the text, the message and its cause."""
    said = '{"name": "Ann", "age": 200}'
    chat = ScriptedChatModel([said]).with_structured_output(Person)
    for method in (answer, last_grown):
        with pytest.raises(
            StructuredOutputError, match="valid Person: age: Input should be"
        ) as caught:
            method(chat, "Hi", way)
        error = caught.value
        assert isinstance(error, OutputParserError)
        assert isinstance(error.__cause__, ValidationError)
        assert isinstance(error.raw, AIMessage)
        assert (error.text, error.raw.text, error.attempts) == (said, said, [error.raw])
        assert "repair=1" in error.hint
        assert error.hint in str(error)
        assert pickle.loads(pickle.dumps(error)).raw == error.raw


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("Sure!", "The reply is not JSON"),
        ("[1]", "The reply is not a JSON object"),
        ('{"x": 1}', 'The reply is not a valid pair: "y" is a required property'),
        ('{"x": "a", "y": 2}', 'The reply is not a valid pair: x: "a" is not of type "integer"'),
    ],
)
def test_a_json_schema_holds(said: str, wrong: str) -> None:
    """Its answer is a dict that is valid under it."""
    schema = {"title": "pair", "properties": {"x": {"type": "integer"}}, "required": ["x", "y"]}
    chat = ScriptedChatModel([said]).with_structured_output(schema)
    with pytest.raises(StructuredOutputError, match=wrong):
        chat.invoke("Hi")


@both
@pytest.mark.parametrize("reason", ["length", "max_tokens"])
def test_a_reply_that_was_cut_off_says_so(reason: str, way: str) -> None:
    """The hint tells that there were too few tokens, not that the model got it wrong."""
    cut = AIMessage('{"name": "An', response_metadata={"finish_reason": reason})
    chat = ScriptedChatModel([cut]).with_structured_output(Person)
    for method in (answer, last_grown):
        with pytest.raises(StructuredOutputError, match=r"not JSON: .*\. The reply was cut off"):
            method(chat, "Hi", way)


@both
@pytest.mark.parametrize(
    "refused",
    [
        AIMessage("", additional_kwargs={"refusal": "I would rather not."}),
        AIMessage("I would rather not.", response_metadata={"finish_reason": "refusal"}),
    ],
)
def test_a_refusal_is_an_error_of_its_own(refused: AIMessage, way: str) -> None:
    """It is not asked again, and says that the model refused."""
    chat = ScriptedChatModel([refused])
    for method in (answer, last_grown):
        with pytest.raises(ContentFilterError, match="The model refused to answer") as caught:
            method(chat.with_structured_output(Person, repair=3), "Hi", way)
        assert caught.value.partial is not None
        assert caught.value.partial.text == refused.text
        told = method(chat.with_structured_output(Person, include_raw=True), "Hi", way)
        assert (told["raw"].text, told["parsed"]) == (refused.text, None)
        assert isinstance(told["parsing_error"], ContentFilterError)


@both
def test_a_model_that_calls_no_tool_is_an_error(way: str) -> None:
    """Small models answer in prose instead; the error has what they said."""
    chat = ScriptedChatModel(["A nice town."]).with_structured_output(Person, method="tools")
    for method in (answer, last_grown):
        with pytest.raises(StructuredOutputError, match="did not call Person") as caught:
            method(chat, "Hi", way)
        assert caught.value.text == "A nice town."


def test_the_arguments_of_a_call_are_the_text_of_an_error() -> None:
    """As JSON that people can read, whatever the script."""
    chat = Recorder(called({"name": "Åse"})).with_structured_output(Person, method="tools")
    with pytest.raises(StructuredOutputError, match="age: Field required") as caught:
        chat.invoke("Hi")
    assert caught.value.text == '{"name": "Åse"}'


@both
def test_a_model_may_repair_its_answer(way: str) -> None:
    """It is shown its answer and what is wrong, and asked again, no more than needed."""
    bad, good = '{"name": "Ann", "age": 200}', '{"name": "Ann", "age": 20}'
    for method in (answer, last_grown):
        chat = Recorder(bad, good)
        told = method(chat.with_structured_output(Person, repair=3), "Who?", way)
        assert told == Person(name="Ann", age=20)
        assert len(chat.asked) == 2
        question, shown, complaint = chat.asked[1]
        assert (question, shown) == (HumanMessage("Who?"), AIMessage(bad))
        assert "age: Input should be less than or equal to 120" in complaint.text


@both
def test_repairs_end(way: str) -> None:
    """After the last the error has every attempt."""
    for method in (answer, last_grown):
        chat = Recorder("one", "two", "three", "four")
        with pytest.raises(StructuredOutputError, match="not JSON") as caught:
            method(chat.with_structured_output(Person, repair=2), "Who?", way)
        assert [attempt.text for attempt in caught.value.attempts] == ["one", "two", "three"]
        assert caught.value.text == "three"
        assert "repair" not in caught.value.hint


def test_a_tool_call_is_repaired_as_a_tool_call() -> None:
    """The complaint answers the call, as providers want it; invalid calls included."""
    broken = {"name": "Person", "args": '{"name":', "id": "c0", "error": "cut"}
    chat = Recorder(
        AIMessage("", invalid_tool_calls=[broken]),  # type: ignore[list-item]
        called({"name": "Ann", "age": 200}),
        AIMessage("She is 20."),
        called({"name": "Ann", "age": 20}),
    )
    person = chat.with_structured_output(Person, method="tools", repair=3).invoke("Who?")
    assert person == Person(name="Ann", age=20)
    complaints = [messages[-1] for messages in chat.asked[1:]]
    first, second, third = complaints
    assert isinstance(first, ToolMessage)
    assert (first.tool_call_id, first.status) == ("c0", "error")
    assert isinstance(second, ToolMessage)
    assert second.tool_call_id == "c1"
    assert isinstance(third, HumanMessage)
    assert "did not call Person" in third.text
