"""The reprs of objects, which a cell that ends with one shows: parts by name, and no address."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import BaseModel

from chatnb import init_chat_model
from chatnb.chat_models import ScriptedChatModel
from chatnb.evaluation import evaluate
from chatnb.output_parsers import PydanticOutputParser, StrOutputParser
from chatnb.prompts import (
    ChatPromptTemplate,
    FewShotChatMessagePromptTemplate,
    FewShotPromptTemplate,
    HumanMessagePromptTemplate,
    MessagesPlaceholder,
    PromptTemplate,
)
from chatnb.runnables import (
    ConfigurableField,
    RunnableBranch,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    RunnablePick,
    RunnableWithMessageHistory,
)
from chatnb.terminal import SafeText
from chatnb.tools.mcp import McpPrompt


class City(BaseModel):
    name: str


def double(number: int) -> int:
    return 2 * number


def halve(number: int) -> int:
    return number // 2


STEP: RunnableLambda[int, int] = RunnableLambda(double)
CHAT = ScriptedChatModel(["Hi."])
CHAT_REPR = "ScriptedChatModel(1 responses)"
EXAMPLES = [{"a": "1"}]
REPRS: list[tuple[Any, str]] = [
    (CHAT, CHAT_REPR),
    (init_chat_model(), "ConfigurableChatModel(no model)"),
    (
        init_chat_model("scripted:Hi", configurable_fields=("model",)),
        f"ConfigurableChatModel({CHAT_REPR})",
    ),
    (CHAT.with_structured_output(City), f"StructuredOutput({CHAT_REPR}, City)"),
    (RunnableWithMessageHistory(CHAT), f"RunnableWithMessageHistory({CHAT_REPR})"),
    (StrOutputParser(), "StrOutputParser()"),
    (PydanticOutputParser(City), "PydanticOutputParser(City)"),
    (PromptTemplate("a {b}"), "PromptTemplate('a {b}')"),
    (MessagesPlaceholder("x"), "MessagesPlaceholder('x')"),
    (HumanMessagePromptTemplate.from_template("{a}"), "('human', '{a}')"),
    (
        ChatPromptTemplate([("system", "a {b}"), ("placeholder", "{c}")]),
        "ChatPromptTemplate([('system', 'a {b}'), MessagesPlaceholder('c')])",
    ),
    (
        FewShotPromptTemplate(
            examples=EXAMPLES, example_prompt=PromptTemplate("{a}"), suffix="{b}"
        ),
        "FewShotPromptTemplate('{b}')",
    ),
    (
        FewShotChatMessagePromptTemplate(
            examples=EXAMPLES, example_prompt=ChatPromptTemplate([("human", "{a}")])
        ),
        "FewShotChatMessagePromptTemplate(ChatPromptTemplate([('human', '{a}')]))",
    ),
    (STEP, "RunnableLambda(double)"),
    (STEP | halve, "RunnableLambda(double) | RunnableLambda(halve)"),
    (STEP.map(), "RunnableEach(RunnableLambda(double))"),
    (STEP.bind(a=1), "RunnableBinding(RunnableLambda(double), kwargs={'a': 1})"),
    (
        STEP.with_config(tags=["a"]),
        "RunnableBinding(RunnableLambda(double), config={'tags': ['a']})",
    ),
    (STEP.with_retry(), "RunnableRetry(RunnableLambda(double), stop_after_attempt=3)"),
    (
        STEP.with_fallbacks([RunnableLambda(halve)]),
        "RunnableWithFallbacks(RunnableLambda(double), [RunnableLambda(halve)])",
    ),
    (
        STEP.configurable_alternatives(ConfigurableField(id="x"), b=RunnableLambda(halve)),
        "RunnableConfigurableAlternatives(RunnableLambda(double), default, b)",
    ),
    (
        RunnableParallel(a=double, b=halve),
        "RunnableParallel({'a': RunnableLambda(double), 'b': RunnableLambda(halve)})",
    ),
    (RunnableBranch((double, halve), double), "RunnableBranch(1 conditions)"),
    (RunnablePassthrough(), "RunnablePassthrough()"),
    (RunnablePassthrough.assign(a=double), "RunnableAssign({'a': RunnableLambda(double)})"),
    (RunnablePick("a"), "RunnablePick('a')"),
]


@pytest.mark.parametrize(("shown", "text"), REPRS, ids=[text for _, text in REPRS])
def test_a_repr_names_the_parts(shown: Any, text: str) -> None:
    """One sees what a chain, a prompt or a model is made of."""
    assert repr(shown) == text


STEERING = "a\x1b]0;t\x07\x9b2J\r\u202eb"


@pytest.mark.parametrize(
    "named",
    [
        RunnableLambda(double, name=STEERING),
        RunnableParallel({STEERING: RunnableLambda(double, name=STEERING)}),
        RunnableLambda(double, name=STEERING).with_retry(),
        McpPrompt(cast("Any", None), SimpleNamespace(name=STEERING, description="", arguments=[])),
        evaluate({STEERING: CHAT}, ["a"], [lambda _: True]),
        CHAT.with_structured_output({"title": STEERING, "type": "object", "properties": {}}),
    ],
    ids=lambda named: type(named).__name__,
)
def test_no_name_steers_a_terminal(named: object) -> None:
    """A name from a server, a file or a model is escaped where it is printed."""
    assert STEERING not in repr(named)
    assert SafeText(repr(named)) == repr(named)


def test_no_name_steers_a_terminal_by_a_graph() -> None:
    """Its text for Mermaid is printed, too."""
    text = RunnableLambda(double, name=STEERING).get_graph().draw_mermaid()
    assert SafeText(text) == text
