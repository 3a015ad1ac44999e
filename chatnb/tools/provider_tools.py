"""Tools that OpenAI runs itself, for models of the Responses API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, ParamSpec

_P = ParamSpec("_P")
Tool = dict[str, Any]

_FACTORIES = set[object]()
INCLUDED = {
    "web_search": "web_search_call.action.sources",
    "file_search": "file_search_call.results",
    "code_interpreter": "code_interpreter_call.outputs",
}
"""The output that has a tool's results, which the API sends on request only."""


def _factory(make: Callable[_P, Tool]) -> Callable[_P, Tool]:
    _FACTORIES.add(make)
    return make


def made_by_factory(tool: object) -> object:
    """Return the tool that one of the functions here makes without arguments; others as they are.

    Raises:
        TypeError: If the function needs arguments.
    """
    return tool() if callable(tool) and _is_factory(tool) else tool


def _is_factory(tool: object) -> bool:
    try:
        return tool in _FACTORIES
    except TypeError:  # Not hashable.
        return False


@_factory
def web_search(
    *,
    allowed_domains: Sequence[str] | None = None,
    context_size: Literal["low", "medium", "high"] | None = None,
    user_location: Mapping[str, str] | None = None,
) -> Tool:
    """Return the tool with which OpenAI's models search the web.

    Replies cite the pages that were found, which cells and panels show as links.

    Args:
        allowed_domains: The domains that are searched; without it all.
        context_size: The amount of text of each page that the model reads.
        user_location: `country`, `region`, `city` and `timezone` of the user, as far as given.

    Returns:
        OpenAI's dict, for `bind_tools`, `ToolLoop`, `ChatPanel(tools=...)` and `%%chat --tools`.

    Raises:
        TypeError: If the domains are no list of strings.

    Example:
        >>> web_search(allowed_domains=["python.org"])
        {'type': 'web_search', 'filters': {'allowed_domains': ['python.org']}}
    """
    domains = _texts("allowed_domains", allowed_domains)
    return _tool(
        "web_search",
        filters={"allowed_domains": domains} if domains else None,
        search_context_size=context_size,
        user_location={"type": "approximate", **user_location} if user_location else None,
    )


@_factory
def file_search(
    vector_store_ids: Sequence[str],
    *,
    max_results: int | None = None,
    filters: Mapping[str, Any] | None = None,
) -> Tool:
    """Return the tool with which OpenAI's models search uploaded files.

    Args:
        vector_store_ids: The ids of the vector stores that have the files.
        max_results: The most passages that are found.
        filters: OpenAI's filter of the attributes of files.

    Returns:
        OpenAI's dict.

    Raises:
        TypeError: If the ids are no list of strings, as one string is not.

    Example:
        >>> file_search(["vs_1"], max_results=5)
        {'type': 'file_search', 'vector_store_ids': ['vs_1'], 'max_num_results': 5}
    """
    return _tool(
        "file_search",
        vector_store_ids=_texts("vector_store_ids", vector_store_ids),
        max_num_results=max_results,
        filters=dict(filters) if filters else None,
    )


@_factory
def code_interpreter(
    *,
    container: str | None = None,
    file_ids: Sequence[str] | None = None,
    memory_limit: Literal["1g", "4g", "16g", "64g"] | None = None,
) -> Tool:
    """Return the tool with which OpenAI's models run Python in a container of OpenAI's.

    Cells and panels show the code, what it printed, and the pictures that it drew. The code cannot
    reach this notebook: `run_python` runs code here.

    Args:
        container: The id of a container that is there; without it a new one.
        file_ids: The ids of uploaded files that a new container gets.
        memory_limit: The memory of a new container.

    Returns:
        OpenAI's dict.

    Raises:
        TypeError: If the ids of files are no list of strings.
        ValueError: If both a container and settings of a new one are given.

    Example:
        >>> code_interpreter()
        {'type': 'code_interpreter', 'container': {'type': 'auto'}}
    """
    if container and (file_ids or memory_limit):
        raise ValueError("file_ids and memory_limit are for a new container, and one is given")
    files = _texts("file_ids", file_ids) or None
    new = _tool("auto", file_ids=files, memory_limit=memory_limit)
    return _tool("code_interpreter", container=container or new)


@_factory
def image_generation(
    *,
    size: str | None = None,
    quality: Literal["low", "medium", "high", "auto"] | None = None,
    background: Literal["transparent", "opaque", "auto"] | None = None,
    output_format: Literal["png", "webp", "jpeg"] | None = None,
) -> Tool:
    """Return the tool with which OpenAI's models draw pictures, which cells and panels show.

    Args:
        size: Width and height, such as `1024x1024`.
        quality: The quality of pictures.
        background: The background of pictures.
        output_format: The format of pictures.

    Returns:
        OpenAI's dict.

    Example:
        >>> image_generation(size="1024x1024", quality="low")
        {'type': 'image_generation', 'size': '1024x1024', 'quality': 'low'}
    """
    given = {"size": size, "quality": quality, "background": background}
    return _tool("image_generation", **given, output_format=output_format)


def _tool(type_: str, **settings: object) -> Tool:
    given = {name: value for name, value in settings.items() if value is not None}
    return {"type": type_, **given}


def _texts(name: str, given: Sequence[str] | None) -> list[str]:
    # A string is a sequence, too: of its characters.
    texts = [] if given is None or isinstance(given, str | bytes) else [*given]
    if given and not (texts and all(isinstance(text, str) for text in texts)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{name} is a list of strings, not {given!r}")
    return texts
