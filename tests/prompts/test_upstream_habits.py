"""Prompts as people write them for LangChain."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain_core import messages as langchain_messages
from langchain_core import prompts as langchain

from chatnb import prompts as chatnb
from chatnb.schema import AIMessage, ChatMessage, HumanMessage, SystemMessage, messages
from chatnb.schema.messages import BaseMessage

EXAMPLES = [{"q": "1", "a": "2"}, {"q": "3", "a": "{4}"}]


def both(build: Any) -> list[Any]:
    return [build(chatnb, messages), build(langchain, langchain_messages)]


def shown(value: Any) -> list[tuple[str, Any]]:
    return [(message.type, message.content) for message in value.to_messages()]


@pytest.mark.parametrize(
    ("build", "input"),
    [
        (lambda p, m: p.ChatPromptTemplate([(m.SystemMessage, "Be {x}."), ("ai", "y")]), "brief"),
        (lambda p, m: p.ChatPromptTemplate([("human", "{x} and {x}")]), 5),
        (lambda p, m: p.ChatPromptTemplate([p.MessagesPlaceholder("h")]), [("human", "a")]),
        (lambda p, m: p.ChatPromptTemplate([("placeholder", "{h}"), ("human", "{x}")]), "a"),
        (lambda p, m: p.ChatPromptTemplate([("placeholder", ["{h}", False])]), [("ai", "a")]),
        (lambda p, m: p.ChatPromptTemplate([("human", "{x}{y}")], partial_variables={"y": 2}), 1),
        (lambda p, m: p.ChatPromptTemplate([("human", "{x}{y}")]).partial(y=lambda: 2), {"x": 1}),
        (lambda p, m: p.ChatPromptTemplate([(p.SystemMessagePromptTemplate, "a {x}")]), "b"),
        (lambda p, m: p.ChatPromptTemplate(["a", ("ai", "b {x}"), "c"])[1:], "d"),
        (lambda p, m: m.SystemMessage("s {t}") + "u {v}", "w"),
        (
            lambda p, m: p.PromptTemplate(template="{a}{b}", input_variables=["a", "b"]),
            {"a": 1, "b": 2},
        ),
        (lambda p, m: p.PromptTemplate.from_template("{a}{b}", partial_variables={"b": 2}), 1),
        (lambda p, m: p.PromptTemplate.from_template("{a}") + " {b}", {"a": 1, "b": 2}),
        (
            lambda p, m: p.ChatPromptTemplate(
                [
                    p.HumanMessagePromptTemplate(prompt=p.PromptTemplate.from_template("a {x}")),
                    p.SystemMessagePromptTemplate.from_template(
                        "b {y}", partial_variables={"y": 1}
                    ),
                    p.ChatMessagePromptTemplate.from_template("c {x}", role="critic"),
                ]
            ),
            "z",
        ),
        (
            lambda p, m: p.FewShotPromptTemplate(
                examples=EXAMPLES[:1] * 2,
                example_prompt=p.PromptTemplate.from_template("Q: {q}\nA: {a}"),
                prefix="Do {it}.",
                suffix="Q: {x}",
                example_separator="\n--\n",
            ),
            {"it": "so", "x": 5},
        ),
        (
            lambda p, m: p.ChatPromptTemplate(
                [
                    ("system", "s"),
                    p.FewShotChatMessagePromptTemplate(
                        examples=EXAMPLES,
                        example_prompt=p.ChatPromptTemplate([("human", "{q}"), ("ai", "{a}")]),
                    ),
                    ("human", "{x}"),
                ]
            ),
            "last",
        ),
    ],
)
def test_the_same_prompt_gives_the_same_messages(build: Any, input: Any) -> None:
    """Built and invoked by the same lines, a prompt is the one that LangChain makes."""
    ours, theirs = both(build)
    assert shown(ours.invoke(input)) == shown(theirs.invoke(input))
    assert sorted(ours.input_variables) == sorted(theirs.input_variables)
    assert shown(asyncio.run(ours.ainvoke(input))) == shown(ours.invoke(input))
    assert shown(ours.batch([input])[0]) == shown(ours.invoke(input))


def test_prompts_grow_and_are_indexed() -> None:
    """append and extend add at the end, also variables; a refused item adds nothing."""
    prompt = chatnb.ChatPromptTemplate([SystemMessage("s {t}")])
    prompt.append("a {x}")
    prompt.extend([("ai", "b"), chatnb.ChatPromptTemplate(["{y}"], partial_variables={"y": 1})])
    assert prompt.format_messages(x=0) == [
        SystemMessage("s {t}"),
        HumanMessage("a 0"),
        AIMessage("b"),
        HumanMessage("1"),
    ]
    assert (len(prompt), prompt[0], prompt[-1].variables) == (4, SystemMessage("s {t}"), ("y",))
    assert [*prompt] == [prompt[index] for index in range(4)]
    assert prompt[1:3].format_messages(x=0) == [HumanMessage("a 0"), AIMessage("b")]
    for grow in (prompt.append, lambda bad: prompt.extend(["good {z}", bad])):
        with pytest.raises(TypeError, match="none of them: 5"):
            grow(5)
    with pytest.raises(TypeError, match="in a list"):
        prompt.extend("text")
    assert (len(prompt), prompt.input_variables) == (4, ["x"])
    with pytest.raises(IndexError):
        prompt[4]
    assert chatnb.ChatPromptTemplate([])


def test_prompts_are_printed_and_formatted_asynchronously(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """pretty_print shows what LangChain's does; the a-methods return what the others do."""
    ours, theirs = both(
        lambda p, m: p.ChatPromptTemplate(
            [m.SystemMessage("s"), ("human", "a {x}"), p.MessagesPlaceholder("h")]
        )
    )
    ours.pretty_print()
    assert capsys.readouterr().out.split() == theirs.pretty_repr().split()
    text = chatnb.PromptTemplate("a {x}")
    text.pretty_print()
    assert capsys.readouterr().out == "a {x}\n"
    prompt = chatnb.ChatPromptTemplate(["a {x}"])
    assert asyncio.run(prompt.aformat_messages(x=1)) == [HumanMessage("a 1")]
    assert asyncio.run(prompt.aformat_prompt(x=1)) == prompt.invoke(1)
    assert asyncio.run(prompt.aformat(x=1)) == "Human: a 1"
    assert asyncio.run(text.aformat(x=1)) == asyncio.run(text.aformat_prompt(x=1)).text == "a 1"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (chatnb.HumanMessagePromptTemplate.from_template("a {x}"), HumanMessage("a 1")),
        (chatnb.ChatMessagePromptTemplate("a {x}", role="c"), ChatMessage("a 1", role="c")),
        (chatnb.MessagePromptTemplate(AIMessage, "a {x}"), AIMessage("a 1")),
        (
            chatnb.MessagePromptTemplate(
                "human",
                chatnb.PromptTemplate(
                    "{{p}} {{x}}", template_format="mustache", partials={"p": "a"}
                ),
            ),
            HumanMessage("a 1"),
        ),
        (
            chatnb.MessagePromptTemplate("developer", "a {x}"),
            SystemMessage("a 1", additional_kwargs={"__openai_role__": "developer"}),
        ),
    ],
)
def test_message_templates_format_themselves(template: Any, expected: BaseMessage) -> None:
    """`format` returns the message, `format_messages` a list of it; roles keep what they mean."""
    assert template.format(x=1) == expected
    assert template.format_messages(x=1) == [expected]
    assert template.input_variables == ["x"]


class Longest:
    """A selector of the example that is most like the input."""

    def select_examples(self, input_variables: dict[str, Any]) -> list[dict[str, str]]:
        return [each for each in EXAMPLES if each["q"] == input_variables["input"]]


def test_examples_may_be_selected_by_the_input() -> None:
    """A selector gets the values; braces in what it returns stay."""
    text = chatnb.FewShotPromptTemplate(
        example_selector=Longest(),
        example_prompt=chatnb.PromptTemplate("{q}={a}"),
        suffix="{input}=",
    )
    assert text.format(input="3") == text.invoke("3").to_string() == "3={4}\n\n3="
    examples = chatnb.FewShotChatMessagePromptTemplate(
        example_selector=Longest(),
        example_prompt=chatnb.ChatPromptTemplate([("human", "{q}"), ("ai", "{a}")]),
        input_variables=["input"],
    )
    assert examples.invoke("1").to_messages() == [HumanMessage("1"), AIMessage("2")]
    prompt = chatnb.ChatPromptTemplate([examples, ("human", "{input}")])
    assert prompt.input_variables == ["input"]
    assert prompt.format_messages(input="3")[1:] == [AIMessage("{4}"), HumanMessage("3")]


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: chatnb.ChatPromptTemplate([(int, "x")]), TypeError, "no class of messages"),
        (lambda: chatnb.ChatPromptTemplate([(ChatMessage, "x")]), TypeError, "no class of mess"),
        (lambda: chatnb.ChatPromptTemplate([("placeholder", 5)]), TypeError, "placeholder"),
        (lambda: chatnb.ChatPromptTemplate([("ai", 5)]), TypeError, "a string or a list of parts"),
        (lambda: chatnb.ChatPromptTemplate(["{a}{b}"]).invoke("x"), TypeError, r"\(a, b\)"),
        (lambda: chatnb.ChatPromptTemplate(["a"]).invoke("x"), TypeError, "it has none"),
        (lambda: chatnb.ChatPromptTemplate(["{a}"]).invoke(None), TypeError, "not NoneType"),
        (
            lambda: chatnb.FewShotChatMessagePromptTemplate(example_prompt="{q}"),
            ValueError,
            "either examples= or example_selector=",
        ),
        (
            lambda: chatnb.FewShotChatMessagePromptTemplate(example_prompt="q", examples=["x"]),
            TypeError,
            "An example is a dict",
        ),
    ],
)
def test_what_is_wrong_says_so(make: Any, error: type[Exception], said: str) -> None:
    """Each mistake has an error that says what is accepted."""
    with pytest.raises(error, match=said):
        make()


def test_a_prompt_is_read_from_a_file(tmp_path: Path) -> None:
    """`from_file` takes a path, an encoding and the prompt's options."""
    file = tmp_path / "topic.txt"
    file.write_text("Über {topic}, {how}", encoding="latin-1")
    for prompts in (chatnb, langchain):
        prompt = prompts.PromptTemplate.from_file(
            file, encoding="latin-1", partial_variables={"how": "kurz"}
        )
        assert prompt.format(topic="Katzen") == "Über Katzen, kurz"


def test_a_chain_s_prompts_are_found() -> None:
    """`get_prompts` lists the prompts of a chain, also those within branches and bindings."""
    first, second = chatnb.PromptTemplate("{a}"), chatnb.ChatPromptTemplate(["{b}"])
    chain = (first | {"x": second.with_config(tags=["t"]), "y": len}) | str
    assert chain.get_prompts() == [first, second]


def test_a_message_template_has_its_text_as_a_prompt() -> None:
    """With its format and the values given in advance; parts stay a list."""
    template = chatnb.MessagePromptTemplate(
        "human", "{{p}} {{x}}", template_format="mustache", partial_variables={"p": "a"}
    )
    assert template.prompt.format(x=1) == "a 1"  # type: ignore[union-attr]
    parts = [{"type": "text", "text": "{x}"}]
    assert chatnb.MessagePromptTemplate("human", parts).prompt == parts
    assert repr(template) == "('human', '{{p}} {{x}}')"
    placeholder = chatnb.MessagesPlaceholder("h", n_messages=1)
    assert placeholder.format_messages(h=["a", "b"]) == [HumanMessage("b")]
    assert repr(placeholder) == "MessagesPlaceholder('h')"
    assert placeholder.variables == ("h",)
    assert placeholder.pretty_repr().endswith("\n\n{h}")


def test_values_of_a_template_come_before_those_of_its_prompt() -> None:
    """Both are given in advance, by value or by function, and a call's come before them."""
    prompt = chatnb.PromptTemplate("{a}{b}{c}", partials={"a": 1, "b": lambda: 2})
    template = chatnb.MessagePromptTemplate("ai", prompt, partial_variables={"a": 3})
    assert template.format(c=4) == AIMessage("324")
    assert template.format(a=0, c=4) == AIMessage("024")
    assert template.input_variables == ["c"]
