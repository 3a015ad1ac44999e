"""Imports as LangChain's users write them, with `chatnb` for the package."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import langchain_core
import pytest

import chatnb
from chatnb.chat_models.registry import all_providers
from chatnb.rate_limiters import InMemoryRateLimiter
from chatnb.runnables import RunnableLambda

WORKING = [
    "from chatnb.chat_models import ChatOpenAI, AzureChatOpenAI, ChatAnthropic, init_chat_model",
    "from chatnb.chat_models.openai import ChatOpenAI",
    "from chatnb.chat_models.anthropic import ChatAnthropic",
    "from chatnb.chat_models.base import BaseChatModel, init_chat_model",
    "from chatnb.schema import AIMessage, HumanMessage, SystemMessage, BaseMessage, LLMResult",
    "from chatnb.schema.messages import AIMessageChunk",
    "from chatnb.schema.output import LLMResult, ChatGeneration",
    "from chatnb.schema.output_parser import StrOutputParser, BaseOutputParser",
    "from chatnb.schema.prompt import PromptValue",
    "from chatnb.schema.runnable import RunnableLambda, RunnablePassthrough, RunnableParallel",
    "from chatnb.schema.runnable.config import RunnableConfig",
    "from chatnb.prompts import ChatPromptTemplate, MessagesPlaceholder, PromptTemplate",
    "from chatnb.prompts.chat import HumanMessagePromptTemplate",
    "from chatnb.prompts.prompt import PromptTemplate",
    "from chatnb.output_parsers.string import StrOutputParser",
    "from chatnb.runnables.base import Runnable, RunnableLambda, RunnableSequence",
    "from chatnb.schema.messages import get_buffer_string, messages_to_dict",
    "from chatnb.chat_models.azure_openai import AzureChatOpenAI",
    "from chatnb.output_parsers import PydanticOutputParser",
    "from chatnb.messages import HumanMessage, AIMessage, ToolMessage, trim_messages",
    "from chatnb.messages import convert_to_messages, convert_to_openai_messages",
    "from chatnb.messages.ai import AIMessageChunk, UsageMetadata",
    "from chatnb.messages.utils import filter_messages",
    "from chatnb.callbacks import StreamingStdOutCallbackHandler",
    "from chatnb.callbacks.streaming_stdout import StreamingStdOutCallbackHandler",
    "from chatnb.caches import InMemoryCache, SQLiteCache",
    "from chatnb.cache import InMemoryCache, SQLiteCache",
    "from chatnb.globals import set_llm_cache, get_llm_cache",
    "from chatnb.rate_limiters import InMemoryRateLimiter",
    "from chatnb.language_models import BaseChatModel",
    "from chatnb.language_models.chat_models import BaseChatModel",
    "from chatnb.outputs import ChatGeneration, LLMResult",
    "from chatnb.prompt_values import ChatPromptValue",
    "from chatnb.runnables import RunnableBranch",
    "from chatnb.runnables.config import RunnableConfig",
    "from chatnb.runnables.history import RunnableWithMessageHistory",
    "from chatnb.tools import tool",
    "from chatnb.tools.base import tool",
    "from chatnb.tracers import RunHandler",
    "from chatnb import add_handler, JSONLHandler, LoggingHandler, ToolLoop, ChatPromptTemplate",
]
ELSEWHERE = [
    ("from chatnb.memory import ConversationBufferMemory", "chatnb.Conversation"),
    ("from chatnb.chains import LLMChain", "prompt | model | parser"),
    ("from chatnb import LLMChain", "prompt | model | parser"),
    ("from chatnb.agents import AgentExecutor", "chatnb.ToolLoop"),
    ("from chatnb.llms import OpenAI", "chatnb.chat_models"),
    ("from chatnb.vectorstores import FAISS", "chatnb.langchain"),
    ("import chatnb.document_loaders", "chatnb.langchain"),
    ("from chatnb.chat_models.fake import FakeListChatModel", "chatnb.ScriptedChatModel"),
    ("from chatnb.callbacks import get_openai_callback", "chatnb.track_usage"),
    ("from chatnb.callbacks.base import BaseCallbackHandler", "on_token"),
    ("from chatnb.globals import set_debug", "chatnb.LoggingHandler"),
    ("from chatnb.utils.function_calling import convert_to_openai_function", "to_openai_tool"),
    ("from chatnb.utils.json import parse_json_markdown", "JsonOutputParser"),
    ("from chatnb.chat_models import ChatOllama", 'init_chat_model("ollama:NAME")'),
    ("from chatnb.chat_models import ChatGoogleGenerativeAI", 'init_chat_model("gemini:NAME")'),
    ("from chatnb.output_parsers import OutputFixingParser", "with_structured_output"),
    ("from chatnb.output_parsers.enum import EnumOutputParser", "with_structured_output"),
    ("from chatnb.schema import StrOutputParser", "it is chatnb.StrOutputParser"),
    ("from chatnb.messages import ChatPromptTemplate", "chatnb.ChatPromptTemplate"),
    ("from chatnb.example_selectors import LengthBasedExampleSelector", "example_selector="),
    ("from chatnb.prompts import PipelinePromptTemplate", "their sum"),
]
SAME = [
    ("from chatnb.runnables import RunnableMap as same", "chatnb.runnables.RunnableParallel"),
    ("from chatnb.schema.runnable import RunnableMap as same", "chatnb.runnables.RunnableParallel"),
    ("from chatnb.tools import BaseTool as same", "chatnb.tools.Tool"),
    ("from chatnb.messages.base import BaseMessage as same", "chatnb.schema.BaseMessage"),
    ("from chatnb.messages import AnyMessage as same", "chatnb.schema.BaseMessage"),
    ("from chatnb.exceptions import LangChainException as same", "chatnb.errors.ChatnbError"),
    ("from chatnb.exceptions import ModelRateLimitError as same", "chatnb.errors.RateLimitError"),
    ("from chatnb.schema import OutputParserException as same", "chatnb.errors.OutputParserError"),
    ("from chatnb.output_parsers.openai_tools import PydanticToolsParser as same", ""),
    ("from chatnb.utils.function_calling import convert_to_openai_tool as same", ""),
    ("from chatnb.prompt_values import StringPromptValue as same", ""),
]
MODULES = [
    module.name
    for module in pkgutil.walk_packages(langchain_core.__path__, "langchain_core.")
    if "._" not in module.name
]


@pytest.mark.parametrize("line", WORKING)
def test_a_line_works_as_it_was_typed(line: str) -> None:
    """Paths that name the same thing lead to it, star imports and submodules included."""
    exec(line, {})


@pytest.mark.parametrize(("line", "pointer"), ELSEWHERE)
def test_a_line_that_cannot_work_says_what_to_write(line: str, pointer: str) -> None:
    """It is an ImportError, as of any module, with a pointer."""
    with pytest.raises(ImportError) as raised:
        exec(line, {})
    assert pointer in str(raised.value)


@pytest.mark.parametrize(("line", "own"), SAME)
def test_a_name_is_another_one_here(line: str, own: str) -> None:
    """An object with another name, or in another module, is that very object."""
    names: dict[str, Any] = {}
    exec(line, names)
    home, _, name = own.rpartition(".")
    assert not own or names["same"] is getattr(importlib.import_module(home), name)


@pytest.mark.filterwarnings("ignore")  # Modules that LangChain has deprecated.
def test_every_public_name_of_langchain_is_known() -> None:
    """Each name of each module works, or its import says what to write."""
    unknown: list[str] = []
    for path in MODULES:
        upstream = importlib.import_module(path)
        for name in public_names(upstream):
            line = f"from {path.replace('langchain_core', 'chatnb', 1)} import {name}"
            try:
                exec(line, {})
            except ImportError as error:
                if not re.search(r"'[\w.]+': \S", str(error)):
                    unknown.append(line)
    assert not unknown


def public_names(module: ModuleType) -> list[str]:
    """Return the names that users may import: those of `__all__`, or that are defined there."""
    own = (name for name, value in vars(module).items() if is_of(value, module))
    names = getattr(module, "__all__", None) or own
    return [name for name in names if re.fullmatch(r"[a-zA-Z]\w+", name)]


def is_of(value: object, module: ModuleType) -> bool:
    return getattr(value, "__module__", "") == module.__name__


def test_what_is_said_of_names_and_modules_exists() -> None:
    """Each module and name of the list that leads here is there, as the providers are."""
    tables = tomllib.loads(files("chatnb").joinpath("upstream_names.toml").read_text("utf-8"))
    for target in tables["same_names"]:
        module, _, name = target.partition(":")
        assert getattr(importlib.import_module(module), name)
    for target, paths in tables["same_modules"].items():
        for path in paths.split():
            assert importlib.import_module(f"chatnb.{path}").__doc__, target
    assert tables["models"].keys() <= {entry.name for entry in all_providers()}
    texts = " ".join([*tables["names_elsewhere"], *tables["modules_elsewhere"]])
    for dotted in re.findall(r"chatnb(?:\.\w+)+", texts):
        home, _, name = dotted.rpartition(".")
        assert hasattr(importlib.import_module(home), name) or find_spec(dotted)


def test_a_name_is_the_same_by_every_path() -> None:
    """No class is there twice, and the module behind a path is not changed by it."""
    runnables = importlib.import_module("chatnb.runnables")
    spec = runnables.__spec__
    path = importlib.import_module("chatnb.schema.runnable")
    assert path.RunnableLambda is runnables.RunnableLambda
    assert importlib.import_module("chatnb.messages").AIMessage is chatnb.AIMessage
    assert runnables.__spec__ is spec
    assert set(path.__all__) == set(runnables.__all__)


def test_other_names_fail_as_ever() -> None:
    """Unknown modules and names of the package and of others have Python's own errors."""
    assert find_spec("chatnb.nothing_of_the_kind") is None
    assert find_spec("nothing_of_the_kind") is None
    with pytest.raises(ModuleNotFoundError, match=r"chatnb\.nothing"):
        importlib.import_module("chatnb.nothing")
    assert not hasattr(chatnb, "Nothing")
    assert not hasattr(importlib.import_module("chatnb.runnables.base"), "Nothing")
    assert not hasattr(importlib.import_module("chatnb.outputs"), "Nothing")


def test_langchain_s_limiter_is_one_of_chatnb_s() -> None:
    """Its arguments are taken, and `max_bucket_size` is the burst."""
    limiter = InMemoryRateLimiter(
        requests_per_second=0.001, check_every_n_seconds=0.1, max_bucket_size=2
    )
    assert isinstance(limiter, chatnb.RateLimiter)
    assert [limiter.reserve() > 0 for _ in range(3)] == [False, False, True]


@pytest.mark.process
def test_the_package_alone_loads_none_of_it() -> None:
    """`import chatnb` costs no more for the paths."""
    code = "import sys, chatnb; print(sorted(m for m in sys.modules if m.startswith('chatnb')))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "['chatnb', 'chatnb.lazy_names']"


def test_missing_attributes_do_not_stand_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not in `dir()`, and subclasses, mixins and instances may have the same names."""

    class Mixin:
        project = "birds"

        @property
        def output(self) -> str:
            return "from the mixin"

    @dataclass
    class Counted(chatnb.AIMessage, Mixin):
        usage: int = field(kw_only=True)

    message = Counted("Hi", usage=3)
    assert (message.usage, message.output, message.project) == (3, "from the mixin", "birds")
    assert Counted.project == "birds"
    message.client = "mine"  # pyright: ignore[reportAttributeAccessIssue]
    assert {"usage", "output", "client"} <= {*dir(message)}
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    objects = [chatnb.AIMessage("Hi"), RunnableLambda(str), chatnb.ChatOpenAI()]
    for thing in (*objects, chatnb.AIMessage):
        assert not hasattr(thing, "nothing_of_the_kind")
        assert not hasattr(thing, "with_options")
        with pytest.raises(AttributeError, match=r"'with_options': write chat\.bind"):
            getattr(thing, "with_options")  # noqa: B009 (no type has it)
    assert not any({"with_options", "usage"} & {*dir(thing)} for thing in objects)
