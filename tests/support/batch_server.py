"""A server on loopback with the batch APIs of OpenAI and Anthropic, which can lose its replies."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OPENAI_REPLY: dict[str, Any] = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-mini",
    "usage": {"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000},
}
ANTHROPIC_REPLY: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5",
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1000, "output_tokens": 1000},
}


class BatchServer:
    """Batches end when `finish` is called; a prompt that contains "bad" is an error."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.files = dict[str, str]()
        self.batches = dict[str, dict[str, Any]]()
        self.lines = dict[str, list[dict[str, Any]]]()
        self.lose: tuple[str, bool] | None = None  # A path to fail once, before or after its work.
        self.finishes_when_asked = False
        self._hook: tuple[int, Callable[[], None], bool] | None = None
        self._requests = 0

    def at_request(self, number: int, hook: Callable[[], None], *, done: bool) -> None:
        """Call a function at the request of that number from now, before or after its work."""
        self._requests, self._hook = 0, (number, hook, done)

    def call_hook(self, *, done: bool) -> None:
        """Call the function of a request before its work, and after."""
        self._requests += not done
        if self._hook is not None and self._hook[0] == self._requests and self._hook[2] is done:
            self._hook[1]()

    def finish(self, status: str = "completed", answered: int | None = None) -> None:
        """End all batches, of each the first prompts answered."""
        for id, batch in self.batches.items():
            lines = self.lines[id][:answered]
            bad = sum(map(_is_bad, lines))
            if id.startswith("msgbatch"):
                batch["processing_status"] = "ended"
                rest = len(self.lines[id]) - len(lines)
                batch["request_counts"] = _counts(len(lines) - bad, bad, rest)
                continue
            batch["status"] = status
            counts = {"total": len(self.lines[id]), "completed": len(lines) - bad, "failed": bad}
            results = [_openai_result(line) for line in lines]
            rest = [_openai_expired(line) for line in self.lines[id][len(lines) :]]
            self.files[f"out-{id}"] = "\n".join(map(json.dumps, results))
            self.files[f"err-{id}"] = "\n".join(map(json.dumps, rest))
            batch.update(
                request_counts=counts, output_file_id=f"out-{id}", error_file_id=f"err-{id}"
            )

    def answer(self, method: str, path: str, body: bytes) -> Any:
        """Return the JSON or text of a response."""
        if self.finishes_when_asked and path.split("/")[-1] in self.batches:
            self.finish()
        if path == "/v1/files":
            id = f"file-{len(self.files)}"
            self.files[id] = re.split(rb"\r\n--", body.split(b"\r\n\r\n", 1)[1])[0].decode()
            if '{"custom_id"' not in self.files[id]:  # The form's fields come in any order.
                self.files[id] = "\n".join(re.findall(r'\{"custom_id".*\}', body.decode()))
            return {"id": id, "object": "file"}
        if path == "/v1/batches" and method == "POST":
            return self._create_openai(json.loads(body))
        if path == "/v1/messages/batches" and method == "POST":
            return self._create_anthropic(json.loads(body)["requests"])
        if path in ("/v1/batches", "/v1/messages/batches"):
            return {"object": "list", "data": [*reversed(self.batches.values())], "has_more": False}
        if path.endswith("/content"):
            return self.files[path.split("/")[-2]]
        if path.endswith("/results"):
            lines = self.lines[path.split("/")[-2]]
            counts = self.batches[path.split("/")[-2]]["request_counts"]
            done = counts["succeeded"] + counts["errored"]
            results = [_anthropic_result(line, expired=i >= done) for i, line in enumerate(lines)]
            return "\n".join(map(json.dumps, results))
        if path.endswith("/cancel"):
            self.finish("cancelled", 0)
            return self.batches[path.split("/")[-2]]
        return self.batches[path.split("/")[-1]]

    def _create_openai(self, asked: dict[str, Any]) -> dict[str, Any]:
        id = f"batch_{len(self.batches)}"
        self.lines[id] = [
            json.loads(line) for line in self.files[asked["input_file_id"]].split("\n") if line
        ]
        self.batches[id] = {
            **asked,
            "id": id,
            "object": "batch",
            "status": "in_progress",
            "created_at": int(time.time()),
            "request_counts": {"total": len(self.lines[id]), "completed": 0, "failed": 0},
        }
        return self.batches[id]

    def _create_anthropic(self, requests: list[dict[str, Any]]) -> dict[str, Any]:
        id = f"msgbatch_{len(self.batches)}"
        self.lines[id] = requests
        self.batches[id] = {
            "id": id,
            "type": "message_batch",
            "processing_status": "in_progress",
            "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "request_counts": {**_counts(0, 0, 0), "processing": len(requests)},
        }
        return self.batches[id]


def _counts(succeeded: int, errored: int, expired: int) -> dict[str, int]:
    return {
        "processing": 0,
        "succeeded": succeeded,
        "errored": errored,
        "canceled": 0,
        "expired": expired,
    }


def _text(line: dict[str, Any]) -> str:
    body = line.get("body") or line["params"]
    content = body["messages"][-1]["content"]
    text = content if isinstance(content, str) else content[-1]["text"]
    return '{"name": "Oslo"}' if body.get("response_format") else f"reply to {text}"


def _is_bad(line: dict[str, Any]) -> bool:
    # Not by the whole line: its custom id is made of random hexadecimal digits.
    return "bad" in json.dumps(line.get("body") or line.get("params"))


def _openai_result(line: dict[str, Any]) -> dict[str, Any]:
    if _is_bad(line):
        body: dict[str, Any] = {"error": {"message": "No such parameter.", "code": "bad"}}
        return {"custom_id": line["custom_id"], "response": {"status_code": 400, "body": body}}
    message = {"role": "assistant", "content": _text(line)}
    body = {**OPENAI_REPLY, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    return {"custom_id": line["custom_id"], "response": {"status_code": 200, "body": body}}


def _openai_expired(line: dict[str, Any]) -> dict[str, Any]:
    error = {"code": "batch_expired", "message": "This request could not be executed in time."}
    return {"custom_id": line["custom_id"], "response": None, "error": error}


def _anthropic_result(line: dict[str, Any], *, expired: bool) -> dict[str, Any]:
    if expired:
        return {"custom_id": line["custom_id"], "result": {"type": "expired"}}
    if _is_bad(line):
        error = {"type": "invalid_request_error", "message": "No such parameter."}
        result: dict[str, Any] = {"type": "errored", "error": {"type": "error", "error": error}}
        return {"custom_id": line["custom_id"], "result": result}
    message = {**ANTHROPIC_REPLY, "content": [{"type": "text", "text": _text(line)}]}
    return {"custom_id": line["custom_id"], "result": {"type": "succeeded", "message": message}}


@contextmanager
def batch_server() -> Iterator[BatchServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def _answer(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path = self.path.split("?")[0]
            lost = state.lose if state.lose and f"{method} {path}" == state.lose[0] else None
            if lost is not None and not lost[1]:
                state.lose = None
                self.connection.close()
                return
            state.call_hook(done=False)
            found = state.answer(method, path, body)
            state.call_hook(done=True)
            if lost is not None:
                state.lose = None
                self.connection.close()
                return
            text = found if isinstance(found, str) else json.dumps(found)
            with suppress(ConnectionError):  # The client was killed.
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = BatchServer(f"http://127.0.0.1:{server.server_port}/v1")
    # It looks for its end that often: by default each half second.
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
