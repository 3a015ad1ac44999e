"""Run logs that others wrote: one error when they are loaded, and none later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from chatnb.errors import DamagedFileError
from chatnb.notebook.run_tree.static import run_tree_mimebundle
from chatnb.schema import RunLog
from chatnb.schema.run_logs.state import check_op, check_root

STATE: dict[str, Any] = {"id": "r", "streamed_output": [], "final_output": None, "logs": {}}
ENTRY: dict[str, Any] = {
    "id": "a",
    "name": "model",
    "type": "llm",
    "tags": [],
    "metadata": {},
    "start_time": "2026-01-01T00:00:00+00:00",
    "streamed_output_str": [],
    "final_output": None,
    "end_time": None,
    "parent_id": None,
    "inputs": None,
    "error": None,
    "first_token_time": None,
    "usage_metadata": None,
    "cost": 0.0,
}
MAX_ERROR = 1_000
# An integer that Python does not write in decimals, and a text that no error should repeat whole.
HUGE = {"__chatnb__": "int", "value": f"0x{'f' * 4_000}"}
LONG = "x" * 5_000
VALUES: list[Any] = [
    *(None, -1, True, "x", "\ud800", [], [1], {}, {"a": 1}, 1e308, 10**400, HUGE, [HUGE], LONG),
]
FAILURE = {"type": "ValueError", "message": "no", "traceback": "", "stopped": False}
USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
FULL = {**ENTRY, "tags": ["a"], "streamed_output_str": ["a"], "error": FAILURE,
        "usage_metadata": USAGE}  # fmt: skip


def whole(state: Any) -> dict[str, Any]:
    return {"op": "replace", "path": "", "value": state}


def logs() -> list[str]:
    """Lines of logs in which one field has a value of any type."""
    ops = [whole({**STATE, name: value}) for name in STATE for value in VALUES]
    ops += [whole(value) for value in VALUES]
    ops += [whole({**STATE, "logs": {"a": value}}) for value in VALUES]
    ops += [whole({**STATE, "logs": {"a": {**ENTRY, n: v}}}) for n in ENTRY for v in VALUES]
    lines = [json.dumps({"ops": [op]}) for op in ops]
    begun = whole({**STATE, "logs": {"a": ENTRY}})
    for value in VALUES:
        changes = [{"op": "add", "path": f"/logs/a/{name}", "value": value} for name in ENTRY]
        changes += [{"op": "add", "path": f"/{name}", "value": value} for name in (*STATE, "error")]
        changes += [{"op": "add", "path": "/logs/b", "value": value}]
        lines += [json.dumps({"ops": [begun, change]}) for change in changes]
        lines += [json.dumps({"ops": [begun], "root": {name: value}}) for name in ENTRY]
        lines += [json.dumps({"ops": [begun], "time": value}), json.dumps({"ops": value})]
    return [*lines, *incomplete_logs()]


def incomplete_logs() -> list[str]:
    """Lines of logs in which something is missing, or is taken away, and of paths to nowhere."""
    full = {**STATE, "error": FAILURE, "logs": {"a": FULL}}
    ops = [whole(without(full, path)) for path in paths_in(full)]
    lines = [json.dumps({"ops": [op]}) for op in ops]
    paths = ["/none", "", "none", "/logs/none/name", *paths_in(full), f"/{LONG}", f"/{LONG}/~x"]
    removals = [{"op": "remove", "path": path} for path in paths]
    return [*lines, *(json.dumps({"ops": [whole(full), removal]}) for removal in removals)]


def paths_in(value: Any, above: str = "") -> Iterator[str]:
    """Yield the path of each field and item within a value."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield f"{above}/{key}"
        if isinstance(value[key], dict | list):
            yield from paths_in(value[key], f"{above}/{key}")


def without(value: Any, path: str) -> Any:
    """Return a copy of a value without the field or item at a path."""
    copied = deepcopy(value)
    *above, last = path[1:].split("/")
    holder = copied
    for key in above:
        holder = holder[key]
    del holder[int(last) if isinstance(holder, list) else last]
    return copied


@pytest.mark.slow
def test_a_log_is_refused_when_it_is_loaded_or_is_shown(tmp_path: Path) -> None:
    """The error names the file and the patch, for any field of any type."""
    refused, path = 0, tmp_path / "run.jsonl"
    for line in logs():
        path.write_text(line + "\n")
        try:
            log = RunLog.load(path)
        except DamagedFileError as error:
            text = str(error)
            if str(path) not in text or "Save the log again" not in text or len(text) > MAX_ERROR:
                raise
            refused += 1
            continue
        assert repr(log)
        assert repr(log.patches)
        assert log.usage in (None, {}, USAGE)
        assert run_tree_mimebundle(log)
    assert refused > len(logs()) // 3


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 400 + "]" * 400])
def test_deep_nesting_is_an_error(tmp_path: Path, text: str) -> None:
    """It would exhaust the stack of whoever shows it."""
    path = tmp_path / "run.jsonl"
    path.write_text(f'{{"ops": [{{"op": "replace", "path": "", "value": {text}}}]}}\n')
    with pytest.raises(DamagedFileError, match=r"run\.jsonl is no run log"):
        RunLog.load(path)


@pytest.mark.parametrize(
    "text", ["plain", "new\nline", "é \U0001f600", 'quoted "x" \\', "\x00\x7f"]
)
def test_a_chunk_of_text_is_read_as_any_other(text: str) -> None:
    """The quick way for lines of one chunk gives what JSON gives."""
    content = {"content": text, "id": "a"}
    value = {"__chatnb__": "message", "value": {"type": "AIMessageChunk", "data": content}}
    patch = {"ops": [{"op": "add", "path": "/streamed_output/-", "value": value}], "time": "t"}
    compact, spaced = json.dumps(patch, separators=(",", ":")), json.dumps(patch)
    start = json.dumps({"ops": [whole(STATE)]})
    assert RunLog.load([start, compact]) == RunLog.load([start, spaced])
    assert RunLog.load([start, compact]).state["streamed_output"][0].text == text


def op(kind: str, path: str, *values: Any) -> dict[str, Any]:
    return {"op": kind, "path": path, **({"value": values[0]} if values else {})}


@pytest.mark.parametrize(
    "change",
    [
        *(op("remove", f"/logs/a{path}") for path in ("", "/tags", "/tags/0", "/error", "/cost")),
        *(op("remove", f"/logs/a/{path}/0") for path in ("streamed_output_str", "inputs")),
        *(op("remove", path) for path in ("", "/error", "/other", "/final_output/a")),
        op("replace", "", {**STATE, "logs": {"a": FULL}}),
        *(op("add", f"/logs/a/{name}", value) for name, value in FULL.items()),
        *(op("add", f"/logs/a/{name}/x", 3) for name in ("metadata", "final_output", "inputs")),
        *(op("add", f"/logs/a/{name}/-", "x") for name in ("tags", "streamed_output_str")),
        *(op("add", "/logs/a/cost", cost) for cost in (None, 0, 2**53)),
        op("add", "/streamed_output/-", ValueError("any")),
        op("add", "/error", FAILURE),
    ],
    ids=str,
)  # fmt: skip
def test_a_change_that_leaves_a_state_readable_is_accepted(change: dict[str, Any]) -> None:
    """Optional fields may go, and free ones may be anything."""
    check_op(change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        *((op("remove", f"/{name}"), f"A state needs its {name}") for name in STATE),
        *(
            (op("remove", f"/logs/a/{name}"), f"A state needs its {name}")
            for name in ("id", "name", "type", "start_time", "end_time", "streamed_output_str")
        ),
        (op("remove", "/error/type"), "Nothing within the 'error' of a run is changed"),
        (op("remove", "/logs/a/tags/0/x"), "Nothing within the 'tags' of a run is changed"),
        (op("add", "/error/type", "x"), "Nothing within the 'error' of a run is changed"),
        (op("add", "/logs/a/error/type", ""), "Nothing within the 'error' of a run is changed"),
        (op("add", "/logs/a/tags/0/x", ""), "Nothing within the 'tags' of a run is changed"),
        (op("add", "/logs/a/tags/-", 3), "The name of a run cannot be 3"),
        (op("replace", "", []), "The state of a run cannot be []"),
        (op("replace", ""), "The state of a run cannot be None"),
        (op("add", "/logs/a", {}), "The state of a run has no id: {}"),
        (op("replace", "", {"id": "r"}), "The state of a run has no streamed_output: {'id': 'r'}"),
        (op("add", "/logs", {"a": 3}), "The state of a run cannot be 3"),
        (op("add", "/logs", []), "The state of a run cannot be None"),
        *((op("add", f"/logs/a/{name}", 3), f"The {name} of a run cannot be 3")
          for name in sorted(FULL.keys() - {"inputs", "final_output", "cost"})),
        *((op("add", f"/{name}", 3), f"The {name} of a run cannot be 3")
          for name in ("id", "streamed_output", "error")),
        (op("add", "/logs/a/tags", ["a", 3]), "The tags of a run cannot be ['a', 3]"),
        (op("add", "/logs/a/start_time", None), "The start_time of a run cannot be None"),
        (op("add", "/logs/a/end_time", "noon"), "The end_time of a run cannot be 'noon'"),
        *((op("add", "/logs/a/cost", cost), f"The cost of a run cannot be {cost}")
          for cost in (-0.1, True, 2**53 + 1)),
        (op("add", "/error", without(FAILURE, "/stopped")), "The error of a run cannot be {'type"),
        (op("add", "/error", {**FAILURE, "type": 3}), "The error of a run cannot be {'type': 3"),
    ],
    ids=str,
)  # fmt: skip
def test_a_change_that_leaves_no_state_is_refused(change: dict[str, Any], said: str) -> None:
    """A field that readers need cannot go, or have another type; the error names it."""
    with pytest.raises(ValueError, match=r"^[ATN]") as caught:
        check_op(change)
    assert str(caught.value).startswith(said)


def test_metadata_of_the_logged_run_have_their_types() -> None:
    """Each is that of an entry, and none is needed."""
    check_root({})
    check_root(FULL)
    for name in ("name", "tags", "metadata", "start_time", "end_time", "usage_metadata"):
        with pytest.raises(ValueError, match=rf"^The {name} of a run cannot be 3$"):
            check_root({name: 3})
    with pytest.raises(ValueError, match=r"^The state of a run cannot be \[\]$"):
        check_root([])  # type: ignore[arg-type]


def test_an_error_says_in_which_patch_it_is() -> None:
    """Patches are counted from one."""
    begun, bad = whole({**STATE, "logs": {"a": ENTRY}}), op("remove", "/logs/a/name")
    lines = [json.dumps({"ops": ops}) for ops in ([begun], [bad])]
    with pytest.raises(ValueError, match="Patch 2: A state needs its name"):
        RunLog.load(lines)
    with pytest.raises(ValueError, match="Patch 1: The cost of a run cannot be -1"):
        RunLog.load([json.dumps({"ops": [begun], "root": {"cost": -1}})])
