from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import jsonpointer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnb.schema.json_patch import (
    PatchedDocument,
    copy_document,
    escape_key,
    json_diff,
    split_path,
)
from tests.support.run_log_strategies import LEAVES, NAMES

KEYS = NAMES | st.sampled_from(["1", "2", "01", "a"])
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)


@st.composite
def operations(draw: st.DrawFn) -> dict[str, Any]:
    """Any operation; its path may be there or not."""
    parts = draw(st.lists(KEYS, min_size=1, max_size=3))
    op = {"op": draw(st.sampled_from(["add", "replace", "remove"]))}
    op["path"] = "".join(f"/{escape_key(part)}" for part in parts)
    return op if op["op"] == "remove" else {**op, "value": draw(DOCUMENTS)}


@pytest.mark.slow
@given(DOCUMENTS, st.lists(operations(), max_size=6))
def test_any_operations_do_what_the_reference_does(
    value: Any, operations: list[dict[str, Any]]
) -> None:
    """Each operation changes a document as jsonpatch does, and is refused where it refuses.

    What was seen before and what is in the operations stays as it was.
    """
    theirs, given = copy.deepcopy(value), copy.deepcopy((value, operations))
    document = PatchedDocument(value)
    for op in operations:
        seen = document.share()
        before = copy.deepcopy(seen)
        try:
            theirs = jsonpatch.apply_patch(theirs, [op])
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException):
            with pytest.raises(ValueError, match="Cannot"):
                document.apply(op)
        else:
            document.apply(op)
        assert seen == before
        assert document.share() == theirs
    assert (value, operations) == given


@given(st.lists(st.sampled_from("aAbBxXsS"), max_size=12))
def test_items_are_appended_to_the_list_that_is_there(steps: list[str]) -> None:
    """One after another or not, to a list that was seen, replaced or removed meanwhile."""
    document = PatchedDocument({"x": [], "y": {"x": []}})
    theirs: dict[str, Any] = {"x": [], "y": {"x": []}}
    seen = list[tuple[Any, Any]]()
    for number, step in enumerate(steps):
        path = "/x" if step.islower() else "/y/x"
        op: dict[str, Any] = {"op": "add", "path": f"{path}/-", "value": number}
        if step in "bB":
            op = {"op": "replace", "path": path, "value": [number]}
        elif step in "xX":
            op = {"op": "add", "path": f"{path}/0", "value": number}
        elif step in "sS":
            seen.append((document.share(), copy.deepcopy(theirs)))
        document.apply(op)
        theirs = jsonpatch.apply_patch(theirs, [op])
    assert document.share() == theirs
    assert all(shown == as_it_was for shown, as_it_was in seen)


@given(st.lists(st.text(max_size=4), max_size=4))
def test_any_keys_survive_a_path(keys: list[str]) -> None:
    """An escaped key is split into the same key, as in the reference implementation."""
    path = "".join(f"/{escape_key(key)}" for key in keys)
    assert list(split_path(path)) == keys == jsonpointer.JsonPointer(path).parts


@pytest.mark.parametrize(
    ("op", "said"),
    [
        ({"op": "add", "path": "/b/c", "value": 1}, "Cannot reach '/b/c': there is no such path"),
        ({"op": "replace", "path": "/b", "value": 1}, "Cannot replace '/b'"),
        ({"op": "remove", "path": "/a/2"}, "Cannot remove '/a/2'"),
        ({"op": "remove", "path": "/a/-"}, "Cannot remove '/a/-'"),
        ({"op": "add", "path": "/a/02", "value": 1}, "Cannot add '/a/02'"),
        ({"op": "add", "path": "/a/" + "9" * 5000, "value": 1}, "Cannot add '/a/9"),
        ({"op": "remove", "path": ""}, "whole document"),
        ({"op": "add", "path": "a", "value": 1}, "A path begins with /"),
        ({"op": "add", "path": "/~2", "value": 1}, "A path begins with /"),
        ({"op": "move", "path": "/a", "from": "/b"}, "An operation is an add"),
        ({"op": "add", "path": "/a"}, "An operation is an add"),
        ({"op": "add", "path": "/a/-"}, "An operation is an add"),
        ({"path": "/a/-", "value": 1}, "An operation is an add"),
        ({"op": "add", "value": 1}, "An operation is an add"),
    ],
)
def test_what_cannot_be_done_says_why(op: dict[str, Any], said: str) -> None:
    """The error names the path, or what an operation is; the document is as it was."""
    document = PatchedDocument({"a": [0, 1]})
    with pytest.raises(ValueError, match=said):
        document.apply(op)
    assert document.share() == {"a": [0, 1]}
    document = PatchedDocument({"a": [0]})
    document.apply({"op": "add", "path": "/a/-", "value": 1})
    with pytest.raises(ValueError, match=said):
        document.apply(op)


def test_a_copy_holds_itself_as_the_document_does() -> None:
    """Copying ends for a document that is in itself, and shares no list with it."""
    given: list[Any] = [1]
    given.append(given)
    copied = copy_document(given)
    assert copied is not given
    assert copied[1] is copied


@given(DOCUMENTS, DOCUMENTS)
def test_a_diff_makes_one_document_of_another(before: Any, after: Any) -> None:
    """Its operations, applied in their order, give the other document; equal ones have none."""
    document = PatchedDocument(copy.deepcopy(before))
    for op in json_diff(before, after):
        document.apply(op)
    assert repr(sorted_keys(document.share())) == repr(sorted_keys(after))
    assert json_diff(after, copy.deepcopy(after)) == [] or "nan" in repr(after)


def sorted_keys(value: Any) -> Any:
    """Return a document with the keys of its dicts in order."""
    if isinstance(value, dict):
        return {key: sorted_keys(inner) for key, inner in sorted(value.items())}
    return [sorted_keys(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("value", "op", "expected"),
    [
        ({"a": [0, 1]}, {"op": "add", "path": "/a/2", "value": 2}, {"a": [0, 1, 2]}),
        ({"a": [0, 1]}, {"op": "add", "path": "/a/0", "value": 2}, {"a": [2, 0, 1]}),
        ({"a": [0, 1]}, {"op": "replace", "path": "/a/1", "value": 2}, {"a": [0, 2]}),
        ({"a": [0, 1]}, {"op": "remove", "path": "/a/1"}, {"a": [0]}),
        ({"a": 1}, {"op": "add", "path": "/a", "value": 2}, {"a": 2}),
        ({"a": 1}, {"op": "replace", "path": "/a", "value": 2}, {"a": 2}),
        ({"a": 1}, {"op": "remove", "path": "/a"}, {}),
        ({"a": 1}, {"op": "replace", "path": "", "value": 2}, 2),
        ([[1]], {"op": "add", "path": "/0/-", "value": 2}, [[1, 2]]),
        ({"a/b": {"~": 1}}, {"op": "remove", "path": "/a~1b/~0"}, {"a/b": {}}),
    ],
)
def test_an_operation_changes_one_place(value: Any, op: dict[str, Any], expected: Any) -> None:
    """At the first and the last index, just after the last, and of the whole document."""
    document = PatchedDocument(value)
    document.apply(op)
    assert document.share() == expected


@pytest.mark.parametrize(
    ("value", "op", "said"),
    [
        (3, {"op": "add", "path": "/a", "value": 1}, "Cannot add '/a': there is no such path"),
        ("ab", {"op": "add", "path": "/-", "value": 1}, "Cannot add '/-'"),
        ([1], {"op": "add", "path": "/2", "value": 1}, "Cannot add '/2'"),
        ([1], {"op": "replace", "path": "/1", "value": 1}, "Cannot replace '/1'"),
        ({"a": 3}, {"op": "remove", "path": "/a/b"}, "Cannot remove '/a/b'"),
        ({"a": 3}, {"op": "add", "path": "/a/b/c", "value": 1}, "Cannot reach '/a/b/c'"),
    ],
)
def test_a_place_that_is_not_there_is_named(value: Any, op: dict[str, Any], said: str) -> None:
    """One past the last, and below what holds nothing."""
    with pytest.raises(ValueError, match=said):
        PatchedDocument(value).apply(op)


@pytest.mark.parametrize(
    ("before", "after", "ops"),
    [
        (1, 1, []),
        (1, True, [{"op": "replace", "path": "", "value": True}]),
        ([1, 2, 3], [1], [{"op": "remove", "path": f"/{index}"} for index in (2, 1)]),
        ([], [1, 2], [{"op": "add", "path": f"/{index}", "value": index + 1} for index in (0, 1)]),
        (
            {"a": 1, "b": {"c/d": 2}},
            {"b": {"c/d": 3}, "e": 4},
            [
                {"op": "remove", "path": "/a"},
                {"op": "replace", "path": "/b/c~1d", "value": 3},
                {"op": "add", "path": "/e", "value": 4},
            ],
        ),
        ({"a": 1}, [1], [{"op": "replace", "path": "", "value": [1]}]),
    ],
)
def test_a_diff_changes_no_more_than_it_must(before: Any, after: Any, ops: Any) -> None:
    """It goes into dicts and lists, and removes the last items first."""
    assert json_diff(before, after) == ops
