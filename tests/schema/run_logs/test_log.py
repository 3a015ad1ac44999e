from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from threading import Thread
from time import thread_time
from typing import Any

import jsonpatch
import pytest
from hypothesis import given

from chatnb.schema import AIMessageChunk, RunLog, RunLogPatch
from tests.support.run_log_strategies import BEGUN, ENDED, add, begun, chunk, patches

_ID = "754c4143-2348-46c4-ad2b-3095913084c6"
_TEXT = (
    "The purpose of model regularization is to prevent a machine learning model from overfitting."
)
_RESULT = {
    "generations": [
        [
            {
                "generation_info": {"finish_reason": "stop"},
                "message": AIMessageChunk(_TEXT),
                "text": _TEXT,
            }
        ]
    ],
    "llm_output": None,
    "run": None,
}
_UPSTREAM = [
    (
        [
            {
                "op": "replace",
                "path": "",
                "value": {"final_output": None, "id": _ID, "logs": {}, "streamed_output": []},
            }
        ],
        """\
RunLogPatch({'op': 'replace',
  'path': '',
  'value': {'final_output': None,
            'id': '754c4143-2348-46c4-ad2b-3095913084c6',
            'logs': {},
            'streamed_output': []}})""",
    ),
    (
        [add("/streamed_output/-", AIMessageChunk("The"))],
        """\
RunLogPatch({'op': 'add',
  'path': '/streamed_output/-',
  'value': AIMessageChunk(content='The')})""",
    ),
    (
        [add("/logs/FakeChat", {"end_time": None, "name": "FakeChat", "tags": ["seq:step:2"]})],
        """\
RunLogPatch({'op': 'add',
  'path': '/logs/FakeChat',
  'value': {'end_time': None, 'name': 'FakeChat', 'tags': ['seq:step:2']}})""",
    ),
    (
        [
            add("/logs/FakeChat/final_output", None),
            add("/logs/FakeChat/end_time", "2026-11-22T10:00:01.000000+00:00"),
        ],
        """\
RunLogPatch({'op': 'add', 'path': '/logs/FakeChat/final_output', 'value': None},
 {'op': 'add',
  'path': '/logs/FakeChat/end_time',
  'value': '2026-11-22T10:00:01.000000+00:00'})""",
    ),
    (
        [{"op": "replace", "path": "/final_output", "value": _RESULT}],
        """\
RunLogPatch({'op': 'replace',
  'path': '/final_output',
  'value': {'generations': [[{'generation_info': {'finish_reason': 'stop'},
                              'message': AIMessageChunk(content='The purpose of model regularization is to prevent a machine learning model from overfitting.'),
                              'text': 'The purpose of model regularization is '
                                      'to prevent a machine learning model '
                                      'from overfitting.'}]],
            'llm_output': None,
            'run': None}})""",  # noqa: E501
    ),
    ([], "RunLogPatch()"),
]
_UPSTREAM_LOG = """\
RunLog({'final_output': {'generations': [[{'generation_info': {'finish_reason': 'stop'},
                                    'message': AIMessageChunk(content='The purpose of model regularization is to prevent a machine learning model from overfitting.'),
                                    'text': 'The purpose of model '
                                            'regularization is to prevent a '
                                            'machine learning model from '
                                            'overfitting.'}]],
                  'llm_output': None,
                  'run': None},
 'id': '754c4143-2348-46c4-ad2b-3095913084c6',
 'logs': {'FakeChat': {'end_time': '2026-11-22T10:00:01.000000+00:00',
                       'final_output': None,
                       'name': 'FakeChat',
                       'tags': ['seq:step:2']}},
 'streamed_output': [AIMessageChunk(content='The')]})"""  # noqa: E501


@pytest.mark.parametrize(("ops", "shown"), _UPSTREAM)
def test_a_patch_shows_itself_as_langchains_does(ops: list[dict[str, Any]], shown: str) -> None:
    """The repr is langchain-core's of the same operations, to the character."""
    assert repr(RunLogPatch(*ops, time=BEGUN, root={"name": "model"})) == shown


def test_a_log_shows_itself_as_langchains_does() -> None:
    """The repr is langchain-core's of the same sum, to the character."""
    assert repr(sum(RunLogPatch(*ops) for ops, _ in _UPSTREAM)) == _UPSTREAM_LOG


def _by_adding(steps: list[RunLogPatch]) -> RunLog:
    log = RunLog()
    for step in steps:
        log = log + step
    return log


def _in_place(steps: list[RunLogPatch]) -> RunLog:
    log = RunLog()
    for step in steps:
        log += step
    return log


def reference_state(steps: list[RunLogPatch]) -> Any:
    """Return what jsonpatch makes of patches; some versions of it change them."""
    return jsonpatch.apply_patch({}, [copy.deepcopy(op) for step in steps for op in step.ops])


_WAYS = [_by_adding, _in_place, lambda steps: RunLog(*steps), lambda steps: sum(steps)]


@pytest.mark.slow
@pytest.mark.parametrize("fold", _WAYS)
@given(steps=patches())
def test_every_way_to_a_log_is_the_references(
    fold: Callable[[list[RunLogPatch]], RunLog], steps: list[RunLogPatch]
) -> None:
    """The state is what jsonpatch makes of the patches, unchanged, by every way of adding them."""
    given = copy.deepcopy([step.ops for step in steps])
    log = fold(steps)
    assert log.state == reference_state(steps)
    assert log.patches == steps
    assert [step.ops for step in steps] == given
    assert log.ops == [op for ops in given for op in ops]


@pytest.mark.slow
@given(patches())
def test_a_log_never_changes_when_others_grow_from_it(steps: list[RunLogPatch]) -> None:
    """Each log keeps the state of its moment, read early or late, and beside its siblings."""
    logs = [RunLog()]
    for step in steps:
        logs.append(logs[-1] + step)
        logs[-1] + chunk("a sibling's")
        if len(logs) % 2:
            assert logs[-1].state is not None
    for count in reversed(range(len(logs))):
        assert logs[count].state == reference_state(steps[:count])
        assert logs[count].patches == steps[:count]


def test_a_state_that_was_read_stays_as_it_was() -> None:
    """A state that was read does not change when the log is changed in place."""
    log = begun() + chunk("a")
    seen = log.state
    log += chunk("b")
    log.apply(chunk("c"))
    assert len(seen["streamed_output"]) == 1
    assert len(log.state["streamed_output"]) == 3


def test_a_snapshot_is_the_callers_own() -> None:
    """Changing a snapshot changes neither the log nor its patches."""
    log = begun() + RunLogPatch(add("/logs/model", {"id": "r", "tags": ["a"]}))
    mine: Any = log.snapshot()
    mine["logs"]["model"]["tags"].append("b")
    mine["streamed_output"].append("x")
    assert log.state["logs"]["model"]["tags"] == ["a"]
    assert log.state["streamed_output"] == []
    assert log.ops[1]["value"]["tags"] == ["a"]


def test_patches_add_up_as_langchains_do() -> None:
    """Patch and patch, and log and patch, are a log; anything else is a TypeError."""
    log = begun() + chunk("a")
    assert type(log) is RunLog
    assert type(log + chunk("b")) is RunLog
    assert sum([begun()]) == RunLog(begun())
    for left, right in [(log, log), (log, 1), (begun(), "a"), (1, begun())]:
        with pytest.raises(TypeError, match="unsupported operand"):
            left + right  # pyright: ignore


@pytest.mark.parametrize("bad", [add("/logs/none/end_time", ENDED), {"op": "add", "path": "/a"}])
def test_a_patch_that_cannot_be_applied_is_refused(bad: dict[str, Any]) -> None:
    """`apply` and `+=` raise at once and leave the log as it was; a sum raises when it is read."""
    log = begun() + chunk("a")
    patch = RunLogPatch(add("/streamed_output/-", AIMessageChunk("half a patch")), bad)
    broken = log + patch
    with pytest.raises(ValueError, match=r"Cannot reach '/logs/none/end_time'|An operation is"):
        log.apply(patch)
    with pytest.raises(ValueError, match=r"Cannot reach|An operation is"):
        log += patch
    for _ in range(2):
        with pytest.raises(ValueError, match=r"Cannot reach|An operation is"):
            _ = broken.state
    assert log == begun() + chunk("a")
    assert log.state["streamed_output"] == [AIMessageChunk("a")]
    assert (log + chunk("b")).state["streamed_output"] == [AIMessageChunk("a"), AIMessageChunk("b")]


def test_what_patches_tell_of_the_root_is_merged() -> None:
    """The first patch tells how the run began, the last how it ended; each log its part of it."""
    first = begun({"name": "chain", "start_time": BEGUN})
    log = first + chunk("a")
    whole = log + RunLogPatch(root={"end_time": ENDED})
    assert log.root == {"name": "chain", "start_time": BEGUN}
    assert whole.root == {"name": "chain", "start_time": BEGUN, "end_time": ENDED}
    assert first.root == {"name": "chain", "start_time": BEGUN}


def test_equality_is_that_of_patches() -> None:
    """Patches are equal with all they carry; logs if their patches are."""
    assert chunk("a") == chunk("a") != chunk("b")
    assert begun() != RunLogPatch(*begun().ops)
    assert begun({"name": "a"}) != begun({"name": "b"})
    assert begun() + chunk("a") == RunLog(begun(), chunk("a")) != RunLog(begun())
    assert RunLog() != 0
    assert chunk("a") != 0


def test_a_log_can_be_copied_and_pickled() -> None:
    """A copy goes its own way."""
    log = begun() + chunk("a")
    for other in (copy.copy(log), copy.deepcopy(log), pickle.loads(pickle.dumps(log))):
        assert other == log
        other += chunk("b")
        assert other != log


def test_an_empty_log_has_an_empty_state() -> None:
    """Before the first patch there is nothing, and nothing fails."""
    log = RunLog()
    assert (log.state, log.root, log.ops, log.usage, repr(log)) == ({}, {}, [], None, "RunLog({})")


def test_many_threads_may_read_logs_of_one_run() -> None:
    """Logs that share their patches are each read right, by any number of threads at once."""
    log, logs, wrong = RunLog(begun()), list[RunLog](), list[int]()
    for number in range(200):
        log = log + chunk(str(number))
        logs.append(log)

    def read() -> None:
        for count, one in enumerate(logs, start=1):
            if len((one + chunk("mine")).state["streamed_output"]) != count + 1:
                wrong.append(count)
            if len(one.state["streamed_output"]) != count:
                wrong.append(count)

    threads = [Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("fold", _WAYS)
def test_adding_patches_is_linear(fold: Callable[[list[RunLogPatch]], RunLog]) -> None:
    """Sixteen times the patches take nowhere near 256 times the time."""

    def seconds(count: int) -> float:
        steps = [begun(), *(chunk(str(number)) for number in range(count))]
        start = thread_time()
        assert len(fold(steps).state["streamed_output"]) == count
        return thread_time() - start

    few = min(seconds(500) for _ in range(3))
    many = min(seconds(8000) for _ in range(3))
    assert many < 80 * few


def test_the_repr_has_numbers_that_python_does_not_write() -> None:
    """Integers of more digits than Python writes are there in another form."""
    patch = RunLogPatch({"op": "add", "path": "/x", "value": 10**5000})
    assert "'value': '0x" in repr(patch)
    assert "'value': '0x" in repr(RunLog(RunLogPatch({**patch.ops[0], "path": ""})))
