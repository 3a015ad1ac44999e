"""LangChain's published tests that are skipped, and why: all of them, and no other."""

from __future__ import annotations

from typing import NamedTuple

UNITS, EMBEDDED = "TestUnits", "TestEmbeddedModel"
WIRE, WIRE_BY_TOOLS = "TestOpenAIWire", "TestOpenAIWireByToolCalls"
SUITES = {
    UNITS: "units",
    EMBEDDED: "embedded model",
    WIRE: "OpenAI's wire",
    WIRE_BY_TOOLS: "OpenAI's wire with JSON by tool calls",
}
_ALL_MODELS = (EMBEDDED, WIRE, WIRE_BY_TOOLS)


class Skips(NamedTuple):
    """Tests that are skipped for one reason."""

    tests: tuple[str, ...]
    suites: tuple[str, ...]
    reason: str


SKIPPED = (
    Skips(
        (
            "test_agent_loop",
            "test_bind_runnables_as_tools",
            "test_structured_few_shot_examples",
            "test_tool_calling",
            "test_tool_calling_async",
            "test_tool_calling_with_no_arguments",
            "test_tool_choice",
            "test_tool_message_error_status",
            "test_tool_message_histories_list_content",
            "test_tool_message_histories_string_content",
            "test_unicode_tool_call_integration",
        ),
        (EMBEDDED,),
        "135 million parameters do not choose and fill in tools; they run on OpenAI's wire.",
    ),
    Skips(
        ("test_json_mode",),
        (EMBEDDED,),
        "Any JSON is not yet the JSON that was asked for: without a schema the small model "
        "makes up its own keys. It runs on OpenAI's wire.",
    ),
    Skips(
        ("test_anthropic_inputs",),
        (EMBEDDED,),
        "It binds a tool. It runs on OpenAI's wire.",
    ),
    Skips(
        (
            "test_ainvoke_with_model_override",
            "test_astream_with_model_override",
            "test_invoke_with_model_override",
            "test_stream_with_model_override",
        ),
        (EMBEDDED,),
        "There is one model in its server. They run on OpenAI's wire.",
    ),
    Skips(
        (
            "test_audio_inputs",
            "test_image_inputs",
            "test_image_tool_message",
            "test_pdf_inputs",
            "test_pdf_tool_message",
        ),
        _ALL_MODELS,
        "They download their files, and no test here uses the network. That such parts reach "
        "the wire in OpenAI's form is tested in tests/langchain/test_to_langchain.py.",
    ),
    Skips(
        ("test_stream_time",),
        _ALL_MODELS,
        "It times the replay of a recorded cassette; `make bench` measures streams.",
    ),
    Skips(
        ("test_init_from_env",),
        (UNITS,),
        "to_langchain wraps a model that is there already; the environment is read before.",
    ),
    Skips(
        ("test_serdes",),
        (UNITS,),
        "What is wrapped holds connections and a key, and is not written down.",
    ),
)


def skip_reason(suite: str, test: str) -> str | None:
    """Return why a suite skips a test, or None where the table says nothing of it."""
    for tests, suites, reason in SKIPPED:
        if suite in suites and test in tests:
            return reason
    return None


def table() -> str:
    """The table as docs/langchain.md shows it."""
    lines = ["| test | skipped on | why |", "|---|---|---|"]
    for tests, suites, reason in SKIPPED:
        where = ", ".join(SUITES[suite] for suite in suites)
        names = ", ".join(f"`{test}`" for test in tests)
        lines.append(f"| {names} | {where} | {reason} |")
    return "\n".join(lines)
