"""Sections of the documentation, by the short names with which messages refer to them."""

from __future__ import annotations

from functools import cache

SECTIONS = {
    "budgets": "batches.md#budgets",
    "cassettes": "testing.md#cassettes",
    "cell": "cell.md",
    "conversations": "cell.md#conversations",
    "edits": "cell.md#changing-a-cell",
    "errors-in-batches": "batches.md#errors-in-a-batch",
    "errors-in-cells": "cell.md#errors",
    "files-in-cells": "cell.md#pictures-and-files",
    "models-in-cells": "cell.md#choose-a-model",
    "context": "cell.md#the-notebook-as-context",
    "install": "index.md#install",
    "panel": "panel.md",
    "providers": "providers.md#built-in-providers",
    "batch-apis": "scale.md#batch-apis",
    "tools-in-cells": "cell.md#tools",
    "tool-loops": "recipes.md#approve-each-tool-call",
    "typed-answers": "structured_output.md",
    "usage": "batches.md#usage-tables",
}
"""The page in docs/ and the anchor of each section; a test holds them to the pages."""


def section_address(name: str) -> str:
    """Return the address of a section of `SECTIONS`.

    Example:
        >>> section_address("budgets").rpartition("/")[2]
        'batches.md#budgets'
    """
    return f"{_folder()}/{SECTIONS[name]}"


def see_section(name: str) -> str:
    """Return the sentence with which errors and help refer to a section.

    Example:
        >>> see_section("budgets").startswith("See ")
        True
    """
    return f"See {section_address(name)}"


@cache
def _folder() -> str:
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        urls = metadata("chatnb").get_all("Project-URL", [])
    except PackageNotFoundError:  # The package is only on the path, and not installed.
        urls = list[str]()
    address = dict(url.split(", ", 1) for url in urls).get("Repository")
    return f"{address}/blob/main/docs" if address else "docs"
