"""langchain-openai and langchain-core."""

from __future__ import annotations

from typing import Any

from clients.page_client import PageClient
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tracers.log_stream import RunLogPatch
from langchain_openai import ChatOpenAI
from pydantic import SecretStr


class FixedChatModel(BaseChatModel):
    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("Hello."))])

    @property
    def _llm_type(self) -> str:
        return "fixed"


class Client(PageClient):
    def new_chat(self, model: str) -> Any:
        url = f"{self._server}/v1"
        key = SecretStr("none")
        return ChatOpenAI(model=model, api_key=key, base_url=url, stream_usage=True)

    def chain(self) -> Any:
        prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "{input}")])
        return prompt | FixedChatModel() | StrOutputParser()

    def patch(self, op: dict[str, Any]) -> Any:
        return RunLogPatch(op)

    def chunk(self, **said: Any) -> Any:
        return AIMessageChunk(**said)
