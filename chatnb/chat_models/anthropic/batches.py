"""Anthropic's batches of messages.

Source: https://platform.claude.com/docs/en/build-with-claude/batch-processing
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from chatnb.chat_models.batch_jobs.protocol import (
    CLOCK_SECONDS,
    BatchApi,
    Line,
    PartState,
    check_type,
)
from chatnb.errors import ModelError, ModelTimeoutError
from chatnb.strict_json import parse_object


class AnthropicBatches(BatchApi):
    """The batch API of its client."""

    max_requests = 100_000
    max_bytes = 250_000_000

    def line(self, custom_id: str, path: str, body: dict[str, Any]) -> Line:
        return {"custom_id": custom_id, "params": body}

    def create(self, lines: Sequence[str], note: str) -> str:
        # A request that is sent again might be a second batch.
        client = self._client.with_options(max_retries=0)
        with self._answer():
            requests: Any = [parse_object(line) for line in lines]
            batch = client.messages.batches.create(requests=requests)
            check_type("id", batch.id, str)
        return batch.id

    def find(self, note: str, count: int, since: float, taken: Collection[str]) -> str | None:
        # It has no note of ours: a batch of as many requests, made since, is compared by its first.
        with self._answer():
            for batch in self._client.messages.batches.list(limit=100):
                if batch.created_at.timestamp() < since - CLOCK_SECONDS:
                    return None
                if batch.id in taken:
                    continue
                counts = batch.request_counts.model_dump()
                if sum(counts.values()) == count and self._is_of(batch, note):
                    return batch.id
        return None

    def _is_of(self, batch: Any, note: str) -> bool:
        job = note.rpartition("-")[0]
        if batch.processing_status != "ended":
            return True
        first = next(self.results(batch.id), None)
        return first is not None and first[0].startswith(f"{job}-")

    def state(self, batch_id: str) -> PartState:
        with self._answer():
            batch = self._client.messages.batches.retrieve(batch_id)
            counts = batch.request_counts
            failed = counts.errored + counts.canceled + counts.expired
            ended = batch.processing_status == "ended"
            return PartState(batch.processing_status, counts.succeeded, failed, ended)

    def _result_files(self, batch_id: str) -> Sequence[str]:
        batch = self._client.messages.batches.retrieve(batch_id)
        if batch.processing_status != "ended":
            return []
        path = f"/v1/messages/batches/{batch_id}/results"
        return [self._client.get(path, cast_to=_response_class()).text]

    def cancel(self, batch_id: str) -> None:
        with self._answer():
            self._client.messages.batches.cancel(batch_id)

    def _outcome(self, result: dict[str, Any]) -> bytes | ModelError:
        result = result["result"]
        if result["type"] == "succeeded":
            return json.dumps(result["message"]).encode()
        if result["type"] == "errored":
            # It has no status of its own; the type of the error says as much.
            return self._error_response(None, result["error"])
        text = {"expired": "The batch ended before this request was made."}
        message = text.get(result["type"], "This request was cancelled.")
        return ModelTimeoutError(message, hint="Submit it again.")


def _response_class() -> type[Any]:
    from httpx2 import Response

    return Response
