"""Callback handlers of LangChain's as handlers of chatnb's runs.

Source: https://reference.langchain.com/python/langchain_core/callbacks
"""

from __future__ import annotations

from collections.abc import Awaitable
from inspect import isawaitable
from typing import Any, cast
from uuid import NAMESPACE_URL, UUID, uuid5
from weakref import WeakValueDictionary

import langchain_core.messages as lc
from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult

from chatnb.langchain.messages import message_to_langchain, messages_to_langchain
from chatnb.schema.conversion import to_messages
from chatnb.schema.messages import AIMessage
from chatnb.tracing.run import Run

# The attribute of a handler that is true if it ignores runs of a type.
_IGNORES = {"llm": "ignore_llm", "tool": "ignore_agent"}

_adapted = WeakValueDictionary[tuple[int, UUID | None], "LangChainHandler"]()


def adapt_handler(handler: BaseCallbackHandler, parent_id: UUID | None = None) -> LangChainHandler:
    """Return the handler of chatnb's that calls one of LangChain's: the same one each time."""
    key = id(handler), parent_id
    adapted = _adapted.get(key)
    if adapted is None:
        adapted = _adapted[key] = LangChainHandler(handler, parent_id)
    return adapted


def adapt_manager(manager: BaseCallbackManager) -> list[LangChainHandler]:
    """Return the handlers of a callback manager, for runs below its run."""
    return [adapt_handler(handler, manager.parent_run_id) for handler in manager.handlers]


class LangChainHandler:
    """A handler that calls one of LangChain's with the events of chat models, tools and chains."""

    def __init__(self, handler: BaseCallbackHandler, parent_id: UUID | None) -> None:
        self.handler = handler
        self._parent_id = parent_id

    def __repr__(self) -> str:
        return f"LangChainHandler({self.handler!r})"

    def ignores_tokens_of(self, run: Run) -> bool:
        """Return whether it needs no tokens of a run."""
        return self._ignores(run)

    def on_start(self, run: Run) -> object:
        """Handle the start of a run."""
        if self._ignores(run):
            return None
        about: dict[str, Any] = {**self._ids(run), "metadata": run.metadata, "name": run.name}
        serialized = {"name": run.name, "id": ["chatnb", run.name]}
        if run.type == "llm":
            return self._start_model(run, serialized, about)
        inputs = _as_dict(run.inputs, "input")
        if run.type == "tool":
            text = str(run.inputs)
            return self.handler.on_tool_start(serialized, text, inputs=inputs, **about)
        return self.handler.on_chain_start(serialized, inputs, **about)

    def on_token(self, run: Run, chunk: Any) -> object:
        """Handle a chunk of a chat model's reply."""
        written = message_to_langchain(chunk)
        if not isinstance(written, lc.AIMessageChunk):
            return None
        generation = ChatGenerationChunk(message=written)
        return self.handler.on_llm_new_token(chunk.text, chunk=generation, **self._ids(run))

    def on_end(self, run: Run) -> object:
        """Handle the end of a run."""
        if self._ignores(run):
            return None
        if run.type == "llm":
            return self.handler.on_llm_end(_llm_result(run.output), **self._ids(run))
        output = _as_dict(run.output, "output")
        output = output["output"] if output.keys() == {"output"} else output
        if run.type == "tool":
            return self.handler.on_tool_end(output, **self._ids(run))
        return self.handler.on_chain_end(output, **self._ids(run))

    def on_error(self, run: Run) -> object:
        """Handle the failure of a run."""
        if self._ignores(run):
            return None
        failed = {"llm": self.handler.on_llm_error, "tool": self.handler.on_tool_error}
        handle = failed.get(run.type, self.handler.on_chain_error)
        return handle(run.exception or RuntimeError("The run failed."), **self._ids(run))

    def _start_model(self, run: Run, serialized: dict[str, Any], about: dict[str, Any]) -> object:
        messages = messages_to_langchain(to_messages(run.inputs)) if run.inputs else []
        text = lc.get_buffer_string(messages)

        def start_as_text() -> object:
            return self.handler.on_llm_start(serialized, [text], **about)

        async def start(started: Awaitable[Any]) -> None:
            try:
                await started
            except NotImplementedError:
                outcome = start_as_text()
                if isawaitable(outcome):
                    await outcome

        # A handler without `on_chat_model_start` gets the conversation as text.
        try:
            if self.handler.ignore_chat_model:
                return None
            started = self.handler.on_chat_model_start(serialized, [messages], **about)
        except NotImplementedError:
            return start_as_text()
        return start(started) if isawaitable(started) else None

    def _ids(self, run: Run) -> dict[str, Any]:
        parent = _uuid(run.parent.id) if run.parent else self._parent_id
        return {"run_id": _uuid(run.id), "parent_run_id": parent, "tags": list(run.tags)}

    def _ignores(self, run: Run) -> bool:
        return bool(getattr(self.handler, _IGNORES.get(run.type, "ignore_chain")))


def _uuid(id: str) -> UUID:
    try:
        return UUID(id)
    except ValueError:
        return uuid5(NAMESPACE_URL, id)


def _as_dict(value: Any, key: str) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {key: value}


def _llm_result(output: Any) -> LLMResult:
    given: dict[str, Any] = _as_dict(output, "output")
    prompts: list[list[dict[str, Any]]] = given.get("generations") or [[]]
    generations: list[Any] = [
        [ChatGeneration(message=message_to_langchain(each["message"])) for each in candidates]
        for candidates in prompts
        if all(isinstance(each.get("message"), AIMessage) for each in candidates)
    ]
    return LLMResult(generations=generations, llm_output=given.get("llm_output"))
