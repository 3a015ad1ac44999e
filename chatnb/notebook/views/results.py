"""Results of `generate` as usage tables, beside their repr."""

from __future__ import annotations

from typing import Any


def show_results(shell: Any) -> None:
    """Have a shell show what `generate` gave as a table of its calls.

    Args:
        shell: The IPython shell.
    """
    formatter = shell.display_formatter.mimebundle_formatter
    formatter.for_type_by_name("chatnb.schema.outputs", "LLMResult", result_bundle)


def result_bundle(result: Any) -> dict[str, Any]:
    """What to show of a result beside its repr, which stays its plain text.

    Args:
        result: The `LLMResult`.
    """
    from chatnb.notebook.views.usage_table import UsageTable

    table = UsageTable(result)
    bundle = table._repr_mimebundle_() if table.rows else {}
    return {kind: shown for kind, shown in bundle.items() if kind != "text/plain"}
