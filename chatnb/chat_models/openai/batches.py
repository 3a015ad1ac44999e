"""OpenAI's batch API.

Source: https://platform.openai.com/docs/guides/batch
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

_ENDED = {"failed", "completed", "expired", "cancelled"}
_OK = 200


class OpenAIBatches(BatchApi):
    """The batch API of its client."""

    max_requests = 50_000
    max_bytes = 190_000_000

    def line(self, custom_id: str, path: str, body: dict[str, Any]) -> Line:
        return {"custom_id": custom_id, "method": "POST", "url": f"/v1{path}", "body": body}

    def create(self, lines: Sequence[str], note: str) -> str:
        content = "".join(f"{line}\n" for line in lines).encode()
        url: Any = parse_object(lines[0])["url"]
        with self._answer():
            file = self._client.files.create(file=(f"{note}.jsonl", content), purpose="batch")
            # A request that is sent again might be a second batch.
            batch = self._client.with_options(max_retries=0).batches.create(
                input_file_id=file.id,
                endpoint=url,
                completion_window="24h",
                metadata={"chatnb": note},
            )
            check_type("id", batch.id, str)
        return batch.id

    def find(self, note: str, count: int, since: float, taken: Collection[str]) -> str | None:
        with self._answer():
            for batch in self._client.batches.list(limit=100):
                metadata: dict[str, str] = batch.metadata or {}
                if metadata.get("chatnb") == note:
                    return batch.id
                if batch.created_at < since - CLOCK_SECONDS:
                    return None
        return None

    def state(self, batch_id: str) -> PartState:
        with self._answer():
            batch = self._client.batches.retrieve(batch_id)
            counts = batch.request_counts
            completed, failed = (counts.completed, counts.failed) if counts else (0, 0)
            return PartState(batch.status, completed, failed, batch.status in _ENDED)

    def _result_files(self, batch_id: str) -> Sequence[str]:
        batch = self._client.batches.retrieve(batch_id)
        files = filter(None, (batch.output_file_id, batch.error_file_id))
        return [self._client.files.content(file).text for file in files]

    def cancel(self, batch_id: str) -> None:
        with self._answer():
            self._client.batches.cancel(batch_id)

    def _outcome(self, result: dict[str, Any]) -> bytes | ModelError:
        response: Any = result.get("response")
        if response is None:
            error: dict[str, Any] = result.get("error") or {}
            message = str(error.get("message") or "The batch ended before this request was made.")
            if error.get("code") == "batch_expired":
                return ModelTimeoutError(message, hint="Submit it again.")
            return ModelError(message)
        body = json.dumps(response["body"])
        if response["status_code"] == _OK:
            return body.encode()
        return self._error_response(response["status_code"], body, headers={})
