"""The reprs of objects, which a cell that ends with one shows: parts by name, and no address."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from chatnb import init_chat_model
from chatnb.chat_models import ScriptedChatModel
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
