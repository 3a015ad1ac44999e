"""LangChain's own published tests of chat models, on chatnb's: see docs/langchain.md."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from chatnb.chat_models import ChatLocal, ChatOpenAI
from chatnb.langchain import ChatnbChat
from tests.support.langchain_wire_model import answering
from tests.support.loopback import LoopbackServer


class TestUnits(ChatModelUnitTests):
    """The tests that need no model."""

    @property
    def chat_model_class(self) -> type[ChatnbChat]:
        return ChatnbChat

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"chat": ChatOpenAI("gpt-4o-mini", api_key="test", timeout=60, max_retries=2)}

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        """Those of one call; key, timeout and retries are the chatnb model's own, as above."""
        params = super().standard_chat_model_params
        return {name: params[name] for name in ("temperature", "max_tokens", "stop")}


class ChatLocalOnce(ChatLocal):
    """Ends each connection with its reply, for each test has an event loop of its own."""

    def _connection(self) -> dict[str, Any]:
        return {**super()._connection(), "default_headers": {"connection": "close"}}


@pytest.mark.anyio
@pytest.mark.thorough
class TestEmbeddedModel(ChatModelIntegrationTests):
    """The small model on this machine: text, streams, usage, and JSON by grammar."""

    @property
    def chat_model_class(self) -> type[ChatnbChat]:
        return ChatnbChat

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"chat": ChatLocalOnce(max_tokens=64)}

    @property
    def has_tool_calling(self) -> bool:
        return False

    @property
    def supports_model_override(self) -> bool:
        return False


@pytest.mark.anyio
class TestOpenAIWire(ChatModelIntegrationTests):
    """A capable model's replies, in OpenAI's wire format, from a server on loopback."""

    @pytest.fixture(autouse=True)
    def _server(self, loopback: LoopbackServer) -> None:
        loopback.plays(answering)
        self.chat = ChatOpenAI("loopback-1", base_url=loopback.base_url, api_key="test")

    @property
    def chat_model_class(self) -> type[ChatnbChat]:
        return ChatnbChat

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"chat": self.chat}

    @property
    def model_override_value(self) -> str:
        return "loopback-2"

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def supported_usage_metadata_details(self) -> Any:
        details = ["audio_input", "audio_output", "reasoning_output", "cache_read_input"]
        return {"invoke": details, "stream": details}

    def _counted(self, *, stream: bool) -> AIMessage:
        model = ChatnbChat(chat=self.chat)
        if not stream:
            return model.invoke("Hello")
        return sum(model.stream("Hello"), AIMessageChunk(content=""))

    def invoke_with_audio_input(self, *, stream: bool = False) -> AIMessage:
        return self._counted(stream=stream)

    def invoke_with_audio_output(self, *, stream: bool = False) -> AIMessage:
        return self._counted(stream=stream)

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        return self._counted(stream=stream)

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        return self._counted(stream=stream)


@pytest.mark.thorough
class TestOpenAIWireByToolCalls(TestOpenAIWire):
    """The same, with structured output by the arguments of a tool."""

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        return {"method": "function_calling"}
