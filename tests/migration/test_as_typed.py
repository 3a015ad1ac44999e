"""Inputs as users of LangChain and of the openai SDK type them: each works or says what to write.

A file of `typed/` has inputs with a comment before each: `gives` with the text that it prints, or
the error with a part of its message. They import from LangChain, in whose place chatnb is put.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from langchain_openai import ChatOpenAI as UpstreamChatOpenAI
from langchain_openai.chat_models.azure import AzureChatOpenAI as UpstreamAzureChatOpenAI
from pydantic import BaseModel

from chatnb.chat_models import AzureChatOpenAI, BaseChatModel, ChatOpenAI
from chatnb.globals import set_llm_cache
from tests.support.loopback import Exchange, LoopbackServer, delta, head, usage

TYPED = Path(__file__).with_name("typed")
# What notebooks have at hand; all of it is imported by LangChain's paths.
IMPORTS = """
import asyncio, json
import numpy as np, pandas as pd, polars as pl, pyarrow as pa
from operator import itemgetter
from typing import Annotated, Iterable, Optional, TypedDict
from pydantic import BaseModel, Field
from langchain_core.callbacks import StreamingStdOutCallbackHandler
from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage, ToolCall, ToolMessage,
    convert_to_messages, convert_to_openai_messages, filter_messages, get_buffer_string,
    merge_message_runs, messages_from_dict, messages_to_dict, trim_messages,
)
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.output_parsers import (
    BaseOutputParser, CommaSeparatedListOutputParser, JsonOutputKeyToolsParser, JsonOutputParser,
    MarkdownListOutputParser, NumberedListOutputParser, PydanticOutputParser, PydanticToolsParser,
    StrOutputParser, XMLOutputParser,
)
from langchain_core.outputs import ChatGeneration, ChatResult, Generation
from langchain_core.prompt_values import ChatPromptValue, StringPromptValue
from langchain_core.prompts import (
    ChatMessagePromptTemplate, ChatPromptTemplate, FewShotChatMessagePromptTemplate,
    FewShotPromptTemplate, HumanMessagePromptTemplate, MessagesPlaceholder, PromptTemplate,
    SystemMessagePromptTemplate,
)
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.runnables import (
    ConfigurableField, RunnableBranch, RunnableConfig, RunnableGenerator, RunnableLambda,
    RunnableParallel, RunnablePassthrough, RunnablePick, chain,
)
from langchain_core.runnables.history import RunnableWithMessageHistory
from langchain_core.tools import InjectedToolArg, StructuredTool, Tool, tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_openai import ChatOpenAI
def multiply_fn(a: int) -> int:
    '''M.'''
"""
FEW_SHOT = (
    'FewShotPromptTemplate(examples=[], example_prompt=PromptTemplate.from_template("{a}"), '
    'suffix="{b}")'
)
# Attributes that only LangChain's own code reads, and arguments that nobody reads back.
INTERNAL = {
    *("coerce_args", "init_server_tool_calls", "init_tool_calls", "deps", "steps__", "parse_iter"),
    *("check_examples_and_selector", "template_is_valid", "validate_template", "output_version"),
    *("example_separator", "example_selector", "examples", "prefix", "suffix", "template_format"),
}
PACKAGES = {
    r"\bfrom langchain_(openai|anthropic) import": "from chatnb.chat_models import",
    r"\blangchain_core\b": "chatnb",
    r"\blangchain\b": "chatnb",
}


async def answering(exchange: Exchange) -> AsyncIterator[bytes]:
    """Answer each request, streamed if it asks for that; an address with a status has its error."""
    if refused := re.search(r"/v([45]\d\d)/", exchange.path):
        body = {"error": {"message": "No.", "code": "c", "type": "t", "param": None}}
        yield head(f"{refused[1]} No", "application/json") + json.dumps(body).encode()
        return
    if exchange.body.get("stream"):
        for piece in (head(), delta("Hel"), delta("lo"), delta(None, "stop"), usage(3, 2)):
            yield piece
        return
    message = {"role": "assistant", "content": "Hello"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    reply: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1}
    reply |= {"model": "loopback-1", "choices": [choice] * (exchange.body.get("n") or 1)}
    reply["usage"] = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    yield head(kind="application/json") + json.dumps(reply).encode()


@pytest.fixture
def notebook(loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The variables of a notebook with all imports, whose models are the loopback server's."""
    loopback.plays(answering)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("OPENAI_BASE_URL", loopback.base_url)
    names: dict[str, Any] = {"__name__": "notebook", "BASE": loopback.base_url}
    exec(here(IMPORTS), names)
    yield names
    set_llm_cache(None)


def here(code: str) -> str:
    """Return code with the packages that chatnb stands in for replaced by it."""
    for package, own in PACKAGES.items():
        code = re.sub(package, own, code)
    return code


def shown(code: str, notebook: dict[str, Any]) -> str:
    """Return what a cell prints, or its error, as the comments of the files say it."""
    printed = StringIO()
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            exec(compile(here(code), "<cell>", "exec", dont_inherit=True), dict(notebook))
    except Exception as error:
        return f"# {type(error).__name__}: {' '.join(str(error).splitlines())}"
    return f"# gives: {printed.getvalue().strip()}".rstrip()


def is_as_said(comment: str, result: str) -> bool:
    kind, _, text = f"{comment} ".partition(": ")
    text = text.rstrip()
    if kind == "# gives":
        return result == f"# gives: {text.encode().decode('unicode_escape')}".rstrip() or (
            text.endswith("...") and text[:-3] in result
        )
    return result.startswith(f"{kind}: ") and text in result


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("file", sorted(TYPED.glob("*.txt")), ids=lambda file: file.stem)
def test_inputs_work_as_typed_or_say_what_to_write(file: Path, notebook: dict[str, Any]) -> None:
    """Each input of a file gives what its comment says, or the error with a pointer."""
    cells = file.read_text("utf-8").split("\n---\n")
    assert len(cells) > 9
    wrong = list[str]()
    for cell in cells:
        comment, _, code = cell.partition("\n")
        result = shown(code, notebook)
        if not is_as_said(comment, result):
            wrong.append(f"{code}\n{comment}\n{result}")
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize(
    ("upstream", "own", "needed"),
    [
        (UpstreamChatOpenAI, ChatOpenAI, {}),
        (
            UpstreamAzureChatOpenAI,
            AzureChatOpenAI,
            {
                "azure_deployment": "d",
                "azure_endpoint": "https://a",
                "api_version": "1",
                "api_key": "none",
            },
        ),
    ],
    ids=["openai", "azure"],
)
def test_every_argument_of_langchain_s_models(
    upstream: Any,
    own: type[BaseChatModel],
    needed: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An argument is taken, or refused with what to write, not with what looks like it."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    fields = upstream.model_fields
    names = {*fields, *(field.alias for field in fields.values() if field.alias)}
    refused = dict[str, str]()
    for name in sorted(names - needed.keys()):
        given = {**needed, name: None}
        try:
            own(**given)
        except TypeError as error:
            refused[name] = str(error)
    assert not [name for name, text in refused.items() if "model_kwargs" in text]
    assert len(refused) < len(names) / 3


def test_settings_of_the_package() -> None:
    """`langchain.llm_cache = ...` sets the cache; a mode that there is not says what to write."""
    package: Any = importlib.import_module("chatnb")
    cache = package.InMemoryCache()
    package.llm_cache = cache
    assert package.get_llm_cache() is package.llm_cache is cache
    package.llm_cache = None
    assert package.get_llm_cache() is None
    package.debug = package.verbose = False
    with pytest.raises(AttributeError, match="LoggingHandler"):
        package.debug = True


@pytest.mark.parametrize(
    ("module", "name", "code"),
    [
        ("messages", "AIMessage", 'AIMessage("Hi")'),
        ("messages", "AIMessageChunk", 'AIMessageChunk(content="Hi")'),
        ("messages", "ToolMessage", 'ToolMessage("Hi", tool_call_id="c1")'),
        ("prompts", "ChatPromptTemplate", 'ChatPromptTemplate(["{a}"])'),
        ("prompts", "PromptTemplate", 'PromptTemplate.from_template("{a}")'),
        ("prompts", "FewShotPromptTemplate", FEW_SHOT),
        ("output_parsers", "StrOutputParser", "StrOutputParser()"),
        ("output_parsers", "JsonOutputParser", "JsonOutputParser()"),
        ("output_parsers", "CommaSeparatedListOutputParser", "CommaSeparatedListOutputParser()"),
        ("runnables", "RunnableLambda", "RunnableLambda(str)"),
        ("runnables", "RunnableSequence", "RunnableLambda(str) | len"),
        ("runnables", "RunnableParallel", "RunnableParallel(a=str)"),
        ("tools", "StructuredTool", "tool(multiply_fn)"),
        ("language_models", "BaseChatModel", "ChatOpenAI()"),
    ],
)
def test_every_attribute_of_langchain_s_objects(
    module: str, name: str, code: str, notebook: dict[str, Any]
) -> None:
    """A public attribute is there, or its AttributeError says what to write."""
    upstream = getattr(importlib.import_module(f"langchain_core.{module}"), name)
    own = eval(code, notebook)
    public = {*dir(upstream), *getattr(upstream, "model_fields", ())} - {*dir(BaseModel)}
    unknown = list[str]()
    for attribute in sorted(name for name in public if not name.startswith("_")):
        try:
            getattr(own, attribute)
        except AttributeError as error:
            if f"{attribute!r}: " not in str(error):
                unknown.append(attribute)
    assert {*unknown} <= INTERNAL
