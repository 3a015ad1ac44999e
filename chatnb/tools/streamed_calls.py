"""Tool calls checked while they stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from chatnb.schema.merging import join_tool_call_chunks
from chatnb.schema.messages import AIMessageChunk
from chatnb.schema.tool_calls import ToolCall, ToolCallChunk, parse_tool_call, tool_call_chunk


class StreamedCalls:
    """Checks the calls of one streamed reply: the piece that makes a wrong one whole says so.

    Args:
        problem: Says why a call cannot be made; None if it can.

    Example:
        >>> calls = StreamedCalls(lambda call: "No.")
        >>> pieces = [tool_call_chunk(name="now", index=0), tool_call_chunk(args="{}", index=0)]
        >>> sum(calls.push(AIMessageChunk("", tool_call_chunks=[p])) for p in pieces).tool_calls
        []
    """

    def __init__(self, problem: Callable[[ToolCall], str | None]) -> None:
        self._problem = problem
        self._open = dict[int, _GrowingCall]()

    def push(self, chunk: AIMessageChunk) -> AIMessageChunk:
        """Take the next chunk of the reply.

        Returns:
            The chunk to pass on; where no call turned out to be wrong, the same.
        """
        pieces = chunk.tool_call_chunks
        ends = bool(chunk.response_metadata.get("finish_reason"))
        if not (pieces or ends):
            return chunk
        told = [each for piece in pieces for each in self._told(piece)]
        if ends:
            told += [mark for index in self._open for mark in self._ended(index)]
        return chunk if told == pieces else replace(chunk, tool_call_chunks=told)

    def _told(self, piece: ToolCallChunk) -> Iterator[ToolCallChunk]:
        index = piece.get("index")
        if index is None:
            yield _marked(piece, _GrowingCall(piece).problem(self._problem, ended=True))
            return
        growing = self._open.get(index)
        if growing is None or growing.is_other(piece):
            yield from self._ended(index)
            self._open[index] = growing = _GrowingCall(piece)
        else:
            growing.push(piece)
        yield _marked(piece, growing.problem(self._problem, ended=False))

    def _ended(self, index: int) -> Iterator[ToolCallChunk]:
        """The mark of a call without arguments, which is whole only when nothing follows."""
        growing = self._open.get(index)
        problem = growing.problem(self._problem, ended=True) if growing else None
        if problem:
            yield _marked(tool_call_chunk(index=index), problem)


class _GrowingCall:
    def __init__(self, piece: ToolCallChunk) -> None:
        self._pieces = list[ToolCallChunk]()
        self._braces = _Braces()
        self._checked = False
        self.push(piece)

    def push(self, piece: ToolCallChunk) -> None:
        self._pieces.append(piece)
        self._checked = self._checked or "error" in piece
        if not self._checked:
            self._braces.push(piece.get("args") or "")

    def is_other(self, piece: ToolCallChunk) -> bool:
        """Whether a piece of the same index begins another call."""
        id = piece.get("id")
        return bool(id) and any(each.get("id") not in (None, "", id) for each in self._pieces)

    def problem(self, check: Callable[[ToolCall], str | None], *, ended: bool) -> str | None:
        """Why the call cannot be made, said once, as soon as it is whole."""
        if self._checked or not (self._braces.closed or (ended and not self._braces.begun)):
            return None
        [joined] = join_tool_call_chunks(self._pieces)
        name, args, id = joined.get("name"), joined.get("args"), joined.get("id")
        call = parse_tool_call(name, args, id, finished=True)
        if "error" in call:
            return None
        self._checked = True
        return check(call)


class _Braces:
    """Finds where a JSON object ends, character by character, so that each is read once."""

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = self._escaped = False
        self.begun = self.closed = False

    def push(self, text: str) -> None:
        for character in text:
            if self._escaped:
                self._escaped = False
            elif self._quoted:
                self._escaped, self._quoted = character == "\\", character != '"'
            elif character in '{}"':
                self._quoted = character == '"'
                self._depth += {"{": 1, "}": -1}.get(character, 0)
        self.begun = self.begun or bool(text)
        self.closed = self.begun and self._depth == 0 and not self._quoted


def _marked(piece: ToolCallChunk, problem: str | None) -> ToolCallChunk:
    return {**piece, "error": problem} if problem else piece
