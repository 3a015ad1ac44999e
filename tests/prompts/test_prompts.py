from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chatnb.errors import ChatnbError
from chatnb.prompts import (
    AIMessagePromptTemplate,
    ChatPromptTemplate,
    FewShotChatMessagePromptTemplate,
    FewShotPromptTemplate,
    HumanMessagePromptTemplate,
    MessagesPlaceholder,
    MissingVariableError,
    PromptTemplate,
    SystemMessagePromptTemplate,
)
from chatnb.schema.messages import AIMessage, HumanMessage, SystemMessage


def test_everything_that_a_prompt_is_made_of() -> None:
    """Messages stay as they are; pairs, dicts, strings and templates have variables."""
    prompt = ChatPromptTemplate.from_messages(
        [
            SystemMessage("Stay {here}."),
            ("system", "Be {style}."),
            {"role": "assistant", "content": "{greeting}!"},
            MessagesPlaceholder("history"),
            SystemMessagePromptTemplate.from_template("s{style}"),
            AIMessagePromptTemplate.from_template("a{style}"),
            HumanMessagePromptTemplate.from_template("h{style}"),
            ChatPromptTemplate.from_template("{question}"),
            "{{question}}",
        ]
    )
    assert prompt.input_variables == ["style", "greeting", "history", "question"]
    messages = prompt.format_messages(
        style="brief", greeting="Hi", history=[("ai", "{kept}")], question="Why?"
    )
    assert messages == [
        SystemMessage("Stay {here}."),
        SystemMessage("Be brief."),
        AIMessage("Hi!"),
        AIMessage("{kept}"),
        SystemMessage("sbrief"),
        AIMessage("abrief"),
        HumanMessage("hbrief"),
        HumanMessage("Why?"),
        HumanMessage("{question}"),
    ]


def test_every_way_to_fill_a_prompt_gives_the_same() -> None:
    """invoke, ainvoke, batch, stream and the format methods agree."""
    prompt = ChatPromptTemplate.from_template("Hi {x}")
    value = prompt.invoke({"x": "Bob"})
    assert value.to_messages() == prompt.format_messages(x="Bob") == [HumanMessage("Hi Bob")]
    assert value == prompt.format_prompt(x="Bob") == asyncio.run(prompt.ainvoke({"x": "Bob"}))
    assert [value] == prompt.batch([{"x": "Bob"}]) == list(prompt.stream({"x": "Bob"}))
    assert prompt.format(x="Bob") == value.to_string()


def test_parts_of_content_have_variables_too() -> None:
    """Every string in a list of parts is a template, however deep."""
    parts = [
        {"type": "text", "text": "What is {what}?"},
        {"type": "image_url", "image_url": {"url": "{url}", "size": 3}},
    ]
    [message] = ChatPromptTemplate([("human", parts)]).format_messages(what="it", url="http://u")
    assert message.content == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "http://u", "size": 3}},
    ]


def test_a_placeholder_takes_what_a_model_takes() -> None:
    """A list of messages, pairs or dicts, only the last of them, or nothing if it may."""
    history = [("human", "a"), {"role": "assistant", "content": "b"}, HumanMessage("c")]
    last = ChatPromptTemplate([MessagesPlaceholder("h", n_messages=2)])
    assert last.format_messages(h=history) == [AIMessage("b"), HumanMessage("c")]
    for most in (3, 4, 5, 7):
        enough = ChatPromptTemplate([MessagesPlaceholder("h", n_messages=most)])
        assert [m.content for m in enough.format_messages(h=history)] == list("abc")
    none = ChatPromptTemplate([MessagesPlaceholder("h", n_messages=0), "x"])
    assert none.format_messages(h=history) == [HumanMessage("x")]
    optional = ChatPromptTemplate([MessagesPlaceholder("h", optional=True), "x"])
    assert optional.input_variables == []
    assert optional.format_messages() == [HumanMessage("x")]
    short = ChatPromptTemplate([("placeholder", "{h}"), "x"])
    assert short.format_messages(h=["y"]) == [HumanMessage("y"), HumanMessage("x")]
    with pytest.raises(TypeError, match="A chat model takes"):
        last.format_messages(h=3)
    with pytest.raises(ValueError, match="n_messages must be 0 or more"):
        MessagesPlaceholder("h", n_messages=-1)


def test_values_may_be_given_in_advance() -> None:
    """By value or by function; the call wins; the prompt itself stays as it is."""
    prompt = ChatPromptTemplate.from_template("{a} {b}")
    half = prompt.partial(a="1")
    days = iter(["Mon", "Tue"])
    assert half.input_variables == ["b"]
    assert half.format_messages(b="2") == [HumanMessage("1 2")]
    assert half.format_messages(a="0", b="2") == [HumanMessage("0 2")]
    late = prompt.partial(a=lambda: next(days))
    assert [late.format_messages(b="")[0].content for _ in range(2)] == ["Mon ", "Tue "]
    assert (half + "{c}").input_variables == ["b", "c"]
    assert prompt.input_variables == ["a", "b"]


def test_prompts_add_up() -> None:
    """A prompt with a message, a pair, a string, a list or another prompt at its end."""
    prompt = ChatPromptTemplate.from_template("{a}")
    other = ChatPromptTemplate.from_template("{b}").partial(b="2")
    total = prompt + AIMessage("x") + ("system", "{c}") + "y" + ["z"] + other
    assert [m.content for m in total.format_messages(a="1", c="3")] == list("1x3yz2")
    text = PromptTemplate("{a} ") + "{b} " + PromptTemplate("{c}").partial(c=3)
    assert text.format(a=1, b=2) == "1 2 3"
    with pytest.raises(TypeError, match="unsupported operand"):
        PromptTemplate("a") + 3  # type: ignore[operator]


@pytest.mark.parametrize("make", [ChatPromptTemplate.from_template, PromptTemplate.from_template])
def test_missing_variables_are_all_named(make: Any) -> None:
    """The error says what is missing and what was given; it is a KeyError and a ValueError."""
    prompt = make("{a} {b} {c}").partial(c=1)
    with pytest.raises(MissingVariableError) as caught:
        prompt.invoke({"x": 1, "y": 2})
    assert str(caught.value) == "The prompt needs a, b, and was given x, y, c"
    assert isinstance(caught.value, KeyError | ValueError)
    assert isinstance(caught.value, ChatnbError)
    with pytest.raises(ValueError, match="needs a, b, and was given c"):
        prompt.format()
    with pytest.raises(KeyError):
        prompt.format()


@pytest.mark.parametrize("make", [ChatPromptTemplate.from_template, PromptTemplate.from_template])
def test_values_come_in_a_dict(make: Any) -> None:
    """Anything else is refused where there are several variables, and these are named."""
    with pytest.raises(TypeError, match=r"dict with a value for each variable \(a, b\).* not str"):
        make("{a} {b}").invoke("text")


class Secret:
    b = "s3cret"

    def __str__(self) -> str:
        return "fine"


@pytest.mark.parametrize(
    "template",
    [
        "{a.b}",
        "{a[0]}",
        "{a.__class__}",
        "{}",
        "{0}",
        "{a-b}",
        "{a!x}",
        "{a:{b}}",
        "{a:>100000000000}",
        "{a:0100000000000d}",
        "{a!r:.100000}",
        "a}",
        "{a",
        "{{a}",
    ],
)
@pytest.mark.parametrize("make", [ChatPromptTemplate.from_template, PromptTemplate.from_template])
def test_a_template_reaches_no_further_than_its_values(make: Any, template: str) -> None:
    """Attributes, indexes, whatever is no name, and widths that fill the memory are refused when
    the prompt is made."""
    with pytest.raises(ValueError, match=r"braces|only !r|cannot contain|99999 wide"):
        make(template)


def test_values_are_text_and_never_templates() -> None:
    """Braces in a value stay, and a value is asked for nothing but its text."""
    prompt = PromptTemplate("{a} {b!r} {c:.2f} {{d}}")
    filled = prompt.format(a="{b.b} {{", b="x", c=1 / 3)
    assert filled == "{b.b} {{ 'x' 0.33 {d}"
    assert PromptTemplate("{a}").format(a=Secret()) == "fine"


def test_errors_of_a_value_are_not_missing_variables() -> None:
    """A KeyError that a value raises while it is written comes out as it is."""

    class Broken:
        def __format__(self, spec: str) -> str:
            raise KeyError("inside")

    with pytest.raises(KeyError, match="inside") as caught:
        PromptTemplate("{a}").format(a=Broken())
    assert not isinstance(caught.value, MissingVariableError)


@pytest.mark.parametrize("item", [3, None, ("human",), ("human", "a", "b"), ("human", 3), {}])
def test_other_things_are_no_part_of_a_prompt(item: Any) -> None:
    """The error names the accepted types."""
    with pytest.raises(TypeError, match=r"A chat prompt is made of|A message template takes"):
        ChatPromptTemplate([item])


@pytest.mark.parametrize("items", ["text", 3, {"a": 1}])
def test_a_prompt_is_made_of_a_list(items: Any) -> None:
    """A bare string is likely a mistake; `from_template` is there for it."""
    with pytest.raises(TypeError, match="in a list; not"):
        ChatPromptTemplate(items)


def test_an_unknown_role_is_refused_at_once() -> None:
    """Not first when the prompt is used."""
    with pytest.raises(ValueError, match="Unknown role 'hunam'"):
        ChatPromptTemplate([("hunam", "a")])


def test_a_text_prompt_is_a_string() -> None:
    """Anything else is refused."""
    with pytest.raises(TypeError, match="A template is a string, not int"):
        PromptTemplate(3)  # type: ignore[arg-type]


def few_shot(text: str, **options: Any) -> FewShotPromptTemplate:
    return FewShotPromptTemplate(
        examples=[{"q": 1}], example_prompt=PromptTemplate("Q {q}"), suffix=text, **options
    )


of_any_kind = pytest.mark.parametrize(
    "make", [ChatPromptTemplate.from_template, PromptTemplate.from_template, few_shot]
)


@of_any_kind
def test_declared_variables_are_checked_if_asked_to(make: Any) -> None:
    """Those of the text must be declared, except for those that have values."""
    for declared in (None, ["b", "a"]):
        make("{a} {b}", validate_template=True, input_variables=declared)
    for declared in (["a"], ["a", "b"]):
        make(
            "{a} {b}", validate_template=True, input_variables=declared, partial_variables={"b": 1}
        )
    make("{a} {b}", input_variables=["c"])
    for declared in (["a"], ["a", "b", "c"], []):
        with pytest.raises(ValueError, match="input_variables are") as caught:
            make("{b} {a}", validate_template=True, input_variables=declared)
        assert str(caught.value) == (
            f"input_variables are {declared}, and the variables of the text are ['a', 'b']. "
            "Leave input_variables= out: they are those of the text."
        )


@of_any_kind
def test_unknown_arguments_are_refused(make: Any) -> None:
    """The error says what to write for one of LangChain's."""
    with pytest.raises(TypeError, match=r"PromptTemplate has no argument colour=\.$"):
        make("{a}", colour="red")
    with pytest.raises(TypeError, match=r"no argument verbose=\. Write callbacks="):
        make("{a}", verbose=True)


def test_examples_as_messages_have_no_other_arguments() -> None:
    """An argument of prompts of text is refused, not ignored."""
    with pytest.raises(TypeError, match=r"has no argument suffix=\.$"):
        FewShotChatMessagePromptTemplate(
            example_prompt="{q}",
            examples=[],
            suffix="x",  # pyright: ignore[reportArgumentType]
        )


def test_prompts_are_shown_as_they_were_written() -> None:
    """The repr has the parts, and the printed prompt their texts, with the variables' names."""
    pairs = ChatPromptTemplate([("human", "{q}"), MessagesPlaceholder("h")])
    messages = FewShotChatMessagePromptTemplate(example_prompt=pairs, examples=[])
    assert repr(pairs) == "ChatPromptTemplate([('human', '{q}'), MessagesPlaceholder('h')])"
    assert repr(messages) == f"FewShotChatMessagePromptTemplate({pairs!r})"
    assert repr(few_shot("{x}?")) == "FewShotPromptTemplate('{x}?')"
    assert few_shot("{x}?").pretty_repr() == "Q {q}\n\n{x}?"
    assert few_shot("{x}?", prefix="P", example_separator="; ").pretty_repr() == "P; Q {q}; {x}?"
    assert messages.pretty_repr() == pairs.pretty_repr()
    assert messages.pretty_repr(html=True) == pairs.pretty_repr(html=True) != pairs.pretty_repr()
    assert messages.format_messages() == []


def test_a_prompt_of_examples_leaves_out_what_is_empty() -> None:
    """There is a separator only between texts."""
    assert few_shot("").format() == "Q 1"
    assert few_shot("{x}", prefix="{y}").format(x="", y="") == "Q 1"
    assert few_shot("{x}", prefix="{y}", partial_variables={"y": 2}).format(x=3) == "2\n\nQ 1\n\n3"
