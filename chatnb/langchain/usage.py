"""Token counts by chatnb's names and by LangChain's.

Source: https://reference.langchain.com/python/langchain-core/messages/ai/UsageMetadata
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from langchain_core.messages.ai import UsageMetadata as LangChainUsage

from chatnb.schema.usage import UsageMetadata

_THEIRS = {"cached": "cache_read"}
_OURS = {theirs: ours for ours, theirs in _THEIRS.items()}


def usage_to_langchain(usage: UsageMetadata | None) -> LangChainUsage | None:
    """Write token counts by LangChain's names.

    Args:
        usage: The counts, in tokens.

    Returns:
        The same counts.

    Example:
        >>> counts = UsageMetadata(input_tokens=3, output_tokens=1, total_tokens=4)
        >>> usage_to_langchain({**counts, "input_token_details": {"cached": 2}})
        ... # doctest: +NORMALIZE_WHITESPACE
        {'input_tokens': 3, 'output_tokens': 1, 'total_tokens': 4,
         'input_token_details': {'cache_read': 2}}
    """
    return cast("LangChainUsage | None", _renamed(usage, _THEIRS))


def usage_from_langchain(usage: LangChainUsage | None) -> UsageMetadata | None:
    """Read token counts by LangChain's names.

    Args:
        usage: The counts, in tokens.

    Returns:
        The same counts.

    Example:
        >>> counts = LangChainUsage(input_tokens=3, output_tokens=1, total_tokens=4)
        >>> usage_from_langchain(counts)
        {'input_tokens': 3, 'output_tokens': 1, 'total_tokens': 4}
    """
    return cast("UsageMetadata | None", _renamed(usage, _OURS))


def _renamed(
    usage: UsageMetadata | LangChainUsage | None, names: Mapping[str, str]
) -> dict[str, Any] | None:
    if usage is None:
        return None
    return {
        name: {names.get(detail, detail): count for detail, count in value.items()}
        if isinstance(value, dict)
        else value
        for name, value in cast("Mapping[str, int | dict[str, int]]", usage).items()
    }
