"""LangChain's modules and names: those that are another one's here, and pointers for the others."""

from __future__ import annotations

from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# LangChain's paths below the package, and the modules that hold what is imported from there.
_MODULES = {
    "cache": "chatnb.caches",
    "callbacks.base": "chatnb.callbacks",
    "callbacks.manager": "chatnb.callbacks",
    "callbacks.streaming_stdout": "chatnb.callbacks",
    "exceptions": "chatnb.errors",
    "chat_models.azure_openai": "chatnb.chat_models",
    "language_models": "chatnb.chat_models",
    "language_models.chat_models": "chatnb.chat_models",
    "messages.ai": "chatnb.messages",
    "messages.human": "chatnb.messages",
    "messages.system": "chatnb.messages",
    "messages.tool": "chatnb.messages",
    "messages.utils": "chatnb.messages",
    "output_parsers.string": "chatnb.output_parsers",
    "outputs": "chatnb.schema",
    "prompt_values": "chatnb.schema",
    "prompts.prompt": "chatnb.prompts",
    "runnables.history": "chatnb.runnables",
    "runnables.utils": "chatnb.runnables",
    "schema.chat": "chatnb.schema",
    "schema.output": "chatnb.schema",
    "schema.output_parser": "chatnb.output_parsers",
    "schema.prompt": "chatnb.schema",
    "schema.prompt_template": "chatnb.prompts",
    "schema.runnable": "chatnb.runnables",
    "schema.runnable.base": "chatnb.runnables",
    "schema.runnable.config": "chatnb.runnables",
    "schema.runnable.passthrough": "chatnb.runnables",
    "tools.base": "chatnb.tools",
    "tracers": "chatnb.tracing",
}
_NOT_HERE = "chatnb has none; keep LangChain's, and chatnb.langchain converts models and messages"
_CONVERSATION = "chatnb.Conversation keeps and continues a conversation"
_CHAIN = "a chain is prompt | model | parser, of chatnb.prompts and chatnb.output_parsers"
_CHAT_MODELS = "chatnb has chat models: chatnb.chat_models"
_TOOLS = "chatnb.run_tools and chatnb.ToolLoop call tools until the model answers"
_FAKES = "chatnb.ScriptedChatModel replies from a list"
_MODULES_ELSEWHERE = {
    "adapters": "chatnb.schema.convert_to_openai_messages writes OpenAI's dicts",
    "agents": _TOOLS,
    "chains": _CHAIN,
    "chat_history": _CONVERSATION,
    "chat_message_histories": _CONVERSATION,
    "chat_models.fake": _FAKES,
    "document_loaders": _NOT_HERE,
    "documents": _NOT_HERE,
    "embeddings": _NOT_HERE,
    "indexes": _NOT_HERE,
    "language_models.fake_chat_models": _FAKES,
    "llms": _CHAT_MODELS,
    "load": "chatnb.schema.messages_to_json and messages_from_json save messages",
    "memory": _CONVERSATION,
    "retrievers": _NOT_HERE,
    "schema.document": _NOT_HERE,
    "schema.memory": _CONVERSATION,
    "text_splitter": _NOT_HERE,
    "utils": "chatnb.tools.to_openai_tool converts functions and models to tools",
    "vectorstores": _NOT_HERE,
}
_LOGGED = "chatnb.add_handler(chatnb.LoggingHandler()) logs every run"
_COUNTED = "with chatnb.track_usage() as usage: counts tokens and cost"
_HANDLER = "a handler is any object with on_start(run), on_token(run, chunk), on_end(run)"
_NAMES_ELSEWHERE = {
    "AsyncCallbackHandler": _HANDLER,
    "BaseCallbackHandler": _HANDLER,
    "BaseCache": "chatnb.chat_models.cache.ReplyCache is the protocol of caches",
    "ChatMessageHistory": _CONVERSATION,
    "ConsoleCallbackHandler": _LOGGED,
    "ConversationBufferMemory": _CONVERSATION,
    "ConversationChain": _CONVERSATION,
    "FakeListChatModel": _FAKES,
    "FakeMessagesListChatModel": _FAKES,
    "FileCallbackHandler": "chatnb.JSONLHandler writes runs to a file",
    "GenericFakeChatModel": _FAKES,
    "InMemoryChatMessageHistory": _CONVERSATION,
    "LLMChain": _CHAIN,
    "OpenAI": _CHAT_MODELS,
    "OutputParserException": "it is chatnb.errors.OutputParserError",
    "StdOutCallbackHandler": _LOGGED,
    "UsageMetadataCallbackHandler": _COUNTED,
    "get_openai_callback": _COUNTED,
    "get_usage_metadata_callback": _COUNTED,
    "set_debug": _LOGGED,
    "set_verbose": _LOGGED,
}


def find_module(name: str) -> ModuleSpec | None:
    """Return the spec of a module of LangChain's path, for the import system.

    Raises:
        ModuleNotFoundError: If chatnb has something else instead, with a pointer to it.
    """
    path = name.removeprefix("chatnb.")
    if path in _MODULES_ELSEWHERE:
        raise ModuleNotFoundError(
            f"No module named {name!r}: {_MODULES_ELSEWHERE[path]}", name=name
        )
    if path not in _MODULES:
        return None
    return ModuleSpec(name, _OtherModule(_MODULES[path]), is_package=True)


def refuse_elsewhere(module: str, name: str) -> None:
    """Raise an ImportError for a name of LangChain's that is another one here."""
    # The message of an AttributeError is lost in `from module import name`.
    if name in _NAMES_ELSEWHERE:
        problem = f"cannot import name {name!r} from {module!r}: {_NAMES_ELSEWHERE[name]}"
        raise ImportError(problem, name=name)


class _OtherModule(Loader):
    """Loads a module that has the names of another one."""

    def __init__(self, target: str) -> None:
        self._target = target

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Have the import system make a module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Give it the names of the other one, each when it is used."""
        target = import_module(self._target)

        def load(name: str) -> Any:
            refuse_elsewhere(module.__name__, name)
            return getattr(target, name)

        vars(module).update(__getattr__=load, __doc__=target.__doc__)
        if (names := getattr(target, "__all__", None)) is not None:
            vars(module)["__all__"] = names
