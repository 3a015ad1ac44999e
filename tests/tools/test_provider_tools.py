"""Tools that OpenAI runs: their dicts, their requests, and the API that they need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypedDict

import httpx
import pytest

from chatnb import ChatOpenAI
from chatnb.chat_models.openai.responses import responses_body
from chatnb.errors import BadRequestError
from chatnb.schema import HumanMessage
from chatnb.tools import (
    ToolLoop,
    code_interpreter,
    file_search,
    image_generation,
    to_openai_tool,
    web_search,
)
from chatnb.tools.openai_schema import to_openai_tools

MADE: list[tuple[Callable[[], dict[str, Any]], list[str]]] = [
    (web_search, ["web_search_call.action.sources"]),
    (lambda: file_search(["vs_1"]), ["file_search_call.results"]),
    (code_interpreter, ["code_interpreter_call.outputs"]),
    (image_generation, []),
]


@pytest.mark.parametrize(("make", "included"), MADE)
def test_requests_ask_for_the_results_of_tools(
    make: Callable[[], dict[str, Any]], included: list[str]
) -> None:
    """The results come along, unless the call says what is included."""
    tool = make()
    body = responses_body([HumanMessage("Hi")], {"tools": [tool]})
    assert body["tools"] == [tool]
    assert body.get("include", []) == included
    own = responses_body([HumanMessage("Hi")], {"tools": [tool], "include": []})
    assert "include" not in own


def test_a_function_stands_for_the_tool_that_it_makes() -> None:
    """`--tools web_search` means `web_search()`; a function that needs arguments says which."""
    assert to_openai_tool(web_search) == {"type": "web_search"}
    assert to_openai_tool(code_interpreter) == code_interpreter()
    with pytest.raises(TypeError, match="vector_store_ids"):
        to_openai_tool(file_search)
    with pytest.raises(ValueError, match="new container"):
        code_interpreter(container="c_1", file_ids=["file-1"])


@pytest.mark.parametrize("given", ["one", b"one", [b"one"], [1]])
def test_one_text_is_no_list_of_texts(given: Any) -> None:
    """A text would be taken for the list of its characters."""
    with pytest.raises(TypeError, match="vector_store_ids is a list of strings"):
        file_search(given)
    with pytest.raises(TypeError, match="allowed_domains is a list of strings"):
        web_search(allowed_domains=given)
    with pytest.raises(TypeError, match="file_ids is a list of strings"):
        code_interpreter(file_ids=given)


def look_up(word: str) -> str:
    """Look up a word."""
    return word


Ask = Callable[[ChatOpenAI, list[Any]], Any]


def loop(chat: ChatOpenAI, tools: list[Any]) -> Any:
    """A tool loop's first call."""
    return ToolLoop(chat, tools, approve=lambda call: True).invoke("Hi")


# Each way in which a call gets its tools.
WAYS: dict[str, Ask] = {
    "bind_tools": lambda chat, tools: chat.bind_tools(tools).invoke("Hi"),
    "bind": lambda chat, tools: chat.bind(tools=to_openai_tools(tools)).invoke("Hi"),
    "invoke": lambda chat, tools: chat.invoke("Hi", tools=to_openai_tools(tools)),
    "stream": lambda chat, tools: [*chat.stream("Hi", tools=to_openai_tools(tools))],
    "ainvoke": lambda chat, tools: asyncio.run(chat.ainvoke("Hi", tools=to_openai_tools(tools))),
    "generate": lambda chat, tools: chat.generate(["Hi"], tools=to_openai_tools(tools)),
    "structured": lambda chat, tools: (
        chat.with_structured_output(Word).bind(tools=to_openai_tools(tools)).invoke("Hi")
    ),
    "loop": loop,
}


class Word(TypedDict):
    """A word."""

    word: str


@pytest.mark.parametrize("ask", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(
    ("tools", "base_url", "uses_responses"),
    [
        ([web_search], None, True),
        ([look_up, code_interpreter()], None, True),
        ([look_up], None, False),
        ([web_search], "http://127.0.0.1:9/v1", False),
    ],
)
def test_openai_runs_them_in_the_responses_api(
    tools: list[Any],
    base_url: str | None,
    uses_responses: bool,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A call with them goes there, whoever gives them; other servers get what they were made
    for."""
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    used = list[str]()

    def refuse(request: httpx.Request) -> httpx.Response:
        used.append(request.url.path)
        return httpx.Response(400, json={"error": {"message": "No."}})

    mock = httpx.MockTransport(refuse)
    chat = ChatOpenAI(
        "gpt-x",
        api_key="sk-none",
        base_url=base_url,
        http_client=httpx.Client(transport=mock),
        http_async_client=httpx.AsyncClient(transport=mock),
    )
    with pytest.raises(BadRequestError):
        ask(chat, tools)
    assert used[0].endswith("/responses") == uses_responses
    assert not chat.use_responses_api
