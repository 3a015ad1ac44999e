"""Finish reasons in the words of OpenAI, and the errors of replies that ended badly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chatnb.chat_models.wire.error_responses import error_response
from chatnb.errors import ContentFilterError, ModelError, ServerError, StreamInterruptedError
from chatnb.schema.chunks import COMPLETE_REASONS
from chatnb.schema.messages import AIMessage

RUN_BROKEN_REPLY_AGAIN = "Run it again; the provider may charge for this attempt, too."
_GOOD = frozenset({*COMPLETE_REASONS, "length"})
# The reasons of Anthropic's replies that the next call goes on with; nothing is cut off.
_PAUSES = ("pause_turn", "compaction")
# The words of other providers, in lower case. Sources: the references of Anthropic, Mistral,
# Gemini, Cohere, Together, Zhipu, DeepSeek, Bedrock and text-generation-inference.
_WORDS: Mapping[str, tuple[str, ...]] = {
    "stop": ("end_turn", "stop_sequence", "eos", "eos_token", "complete", "completed", "normal"),
    "tool_calls": ("tool_use", "tool_call"),
    "length": (
        *("max_tokens", "max_output_tokens", "max_completion_tokens", "model_length"),
        *("model_context_window_exceeded", "context_length_exceeded"),
        *_PAUSES,
    ),
    "content_filter": (
        *("refusal", "safety", "recitation", "blocklist", "prohibited_content", "spii"),
        *("image_safety", "content_filtered", "guardrail_intervened", "sensitive", "error_toxic"),
    ),
}
_REASONS = {word: reason for reason, words in _WORDS.items() for word in words}
_OWN = frozenset({*_GOOD, *_WORDS})
_NONE = frozenset({"null", "none"})  # Written as text by servers that have no reason yet.
_FAILURE = re.compile("error|fail|resource|overload")


def finish_reason(reason: str | None) -> str | None:
    """Return a provider's finish reason in OpenAI's words, an unknown one as it is.

    Example:
        >>> finish_reason("MAX_TOKENS"), finish_reason("end_turn"), finish_reason("abort")
        ('length', 'stop', 'abort')
    """
    word = reason.lower() if reason else ""
    if not word or word in _NONE:
        return None
    return word if word in _OWN else _REASONS.get(word, reason)


def ended_well(metadata: Mapping[str, Any]) -> bool:
    """Return whether a reply's metadata have no finish reason, or one that is known to be good."""
    reason = metadata.get("finish_reason")
    return reason is None or reason in _GOOD


def is_cut_off(metadata: Mapping[str, Any]) -> bool:
    """Return whether a reply's metadata say that it ended at the limit of tokens."""
    return metadata.get("finish_reason") == "length" and metadata.get("stop_reason") not in _PAUSES


def raise_bad_ending(message: AIMessage) -> None:
    """Raise the ModelError of a reply that was refused, filtered or broken off."""
    metadata = message.response_metadata
    reason, refusal = metadata.get("finish_reason"), message.additional_kwargs.get("refusal")
    if reason == "content_filter" or (refusal and not message.content and not message.tool_calls):
        raise ContentFilterError(
            _refusal(metadata, refusal), hint="Rephrase the prompt.", partial=message
        )
    if ended_well(metadata):
        return
    if metadata.get("error"):
        error = error_response(None, {"error": metadata["error"]})
        error.partial = message
        raise error
    error_class: type[ModelError] = StreamInterruptedError
    if _FAILURE.search(str(reason).lower()):
        error_class = ServerError
    raise error_class(
        f"The provider ended the reply early, with the finish reason {reason!r}.",
        hint="Run it again.",
        partial=message,
    )


def _refusal(metadata: Mapping[str, Any], refusal: object) -> str:
    details: Mapping[str, Any] = metadata.get("stop_details") or {}
    explanation = refusal or details.get("explanation")
    if explanation:
        return f"The model refused to answer: {explanation}"
    if metadata.get("stop_reason") == "refusal":
        return "The model refused to answer."
    return "The provider's content filter ended the reply."
