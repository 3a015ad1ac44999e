"""Run logs as a tracer writes them, from a clock that only goes on when it is told to."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from chatnb.schema import AIMessage, AIMessageChunk, HumanMessage
from chatnb.schema.run_logs.log import RunLogPatch
from chatnb.schema.run_logs.state import RunFailure
from chatnb.schema.usage import UsageMetadata

WRAPPERS = ["RunnableSequence", "RunnableRetry"]
KINDS = ["chain", "llm", "prompt", "parser", "tool"]


class LogWriter:
    """The patches of one log, run by run.

    Args:
        name: Of the logged run.
        inputs: Its input.
        type: Its kind.
    """

    def __init__(self, name: str, inputs: Any = None, *, type: str = "chain") -> None:
        self.patches: list[RunLogPatch] = []
        self._now = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
        self._names: dict[str, int] = {}
        state = {"id": "root", "streamed_output": [], "final_output": None, "logs": {}}
        root: Any = {"name": name, "type": type, "tags": [], "metadata": {}, "inputs": inputs}
        root["start_time"] = self.time
        self._add({"op": "replace", "path": "", "value": state}, root=root)

    @property
    def time(self) -> str:
        return self._now.isoformat(timespec="microseconds")

    def later(self, seconds: float) -> None:
        """Let time go on."""
        self._now += timedelta(seconds=seconds)

    def start(self, name: str, type: str, parent: str | None = None, **about: Any) -> str:
        """Begin a run; the result stands for it, and is its key."""
        self._names[name] = self._names.get(name, 0) + 1
        key = name if self._names[name] == 1 else f"{name}:{self._names[name]}"
        entry = {
            "id": f"id of {key}",
            "name": name,
            "type": type,
            "tags": [],
            "metadata": {},
            "start_time": self.time,
            "streamed_output_str": [],
            "final_output": None,
            "end_time": None,
            "parent_id": f"id of {parent}" if parent else "root",
            "inputs": None,
            "error": None,
            "first_token_time": None,
            "usage_metadata": None,
            **about,
        }
        self._add({"op": "add", "path": _pointer(key), "value": entry})
        return key

    def token(self, key: str, text: str) -> None:
        path = f"{_pointer(key)}/streamed_output_str/-"
        self._add({"op": "add", "path": path, "value": text})

    def chunk(self, chunk: Any) -> None:
        """The chunks that the logged run itself streams."""
        self._add({"op": "add", "path": "/streamed_output/-", "value": chunk})

    def end(
        self,
        key: str,
        output: Any = None,
        *,
        usage: UsageMetadata | None = None,
        first_token: str | None = None,
        error: RunFailure | None = None,
        cost: float | None = None,
    ) -> None:
        """End a run in one patch."""
        fields = {
            "final_output": None if error else {"output": output},
            "end_time": self.time,
            "first_token_time": first_token,
            "usage_metadata": usage,
            "cost": cost,
            "error": error,
        }
        always = ("final_output", "end_time")
        self._add(
            *(
                {"op": "add", "path": f"{_pointer(key)}/{name}", "value": value}
                for name, value in fields.items()
                if name in always or value is not None
            )
        )

    def finish(self, output: Any = None, *, error: RunFailure | None = None) -> None:
        """End the logged run."""
        value = None if error else {"output": output}
        ops: list[dict[str, Any]] = [{"op": "replace", "path": "/final_output", "value": value}]
        if error:
            ops.append({"op": "add", "path": "/error", "value": error})
        self._add(*ops, root={"end_time": self.time})

    def _add(self, *ops: dict[str, Any], root: Any = None) -> None:
        self.patches.append(RunLogPatch(*ops, time=self.time, root=root))


def failure(type: str = "ValueError", message: str = "no", *, stopped: bool = False) -> RunFailure:
    traceback = (
        f'Traceback (most recent call last):\n  File "chain.py", line 12, in look_up\n'
        f"    raise {type}({message!r})\n{type}: {message}\n"
    )
    return {
        "type": type,
        "message": message,
        "traceback": "" if stopped else traceback,
        "stopped": stopped,
    }


def tokens(into: int, out: int) -> UsageMetadata:
    return {"input_tokens": into, "output_tokens": out, "total_tokens": into + out}


def story() -> LogWriter:
    """A chain with a prompt, parallel branches, a retry that fails once, a tool and a parser."""
    log = LogWriter("answer_with_sources", {"question": "Why regularise a model?"})
    sequence = log.start("RunnableSequence", "chain", tags=["docs"], metadata={"user": "ada"})
    prompt = log.start("ChatPromptTemplate", "prompt", sequence, inputs={"question": "Why?"})
    log.later(0.004)
    log.end(prompt, [HumanMessage("Why regularise a model?")])
    parallel = log.start("RunnableParallel", "chain", sequence)
    _ask(log, parallel)
    log.end(parallel, {"short": "To generalise.", "sources": 3})
    parser = log.start("StrOutputParser", "parser", sequence)
    log.later(0.003)
    log.end(parser, "Regularisation keeps a model simple.")
    log.end(sequence, "Regularisation keeps a model simple.")
    log.finish("Regularisation keeps a model simple.")
    return log


def _ask(log: LogWriter, parallel: str) -> None:
    retry = log.start("RunnableRetry", "chain", parallel)
    look_up = log.start("look_up", "tool", parallel, inputs={"query": "regularisation"})
    first = log.start("ChatOpenAI", "llm", retry, inputs=[HumanMessage("Why?")])
    log.later(0.42)
    log.end(first, error=failure("RateLimitError", "Too many requests. Try again in a moment."))
    second = log.start("ChatOpenAI", "llm", retry, inputs=[HumanMessage("Why?")])
    log.later(0.31)
    log.end(look_up, {"hits": ["ridge", "lasso", "dropout"]})
    first_token = log.time
    for word in ["Regularisation", "keeps", "a", "model", "simple", "and", "general."]:
        log.token(second, f"{word} ")
        log.chunk(AIMessageChunk(f"{word} "))
        log.later(0.06)
    log.end(second, AIMessage("Done."), usage=tokens(1_204, 86), first_token=first_token)
    log.end(retry, "Regularisation keeps a model simple.")


def branches() -> LogWriter:
    """Two branches in parallel, each in wrappers around one run; one branch fails."""
    log = LogWriter("write")
    sequence = log.start("RunnableSequence", "chain")
    parallel = log.start("RunnableParallel", "chain", sequence, tags=["seq:step:1"])
    story = log.start("RunnableRetry", "chain", parallel, tags=["map:key:story"])
    facts = log.start("RunnableSequence", "chain", parallel, tags=["map:key:<facts>"])
    writer = log.start("ChatLocal", "llm", story)
    finder = log.start("RunnableWithFallbacks", "chain", facts, tags=["seq:step:1"])
    retry = log.start("search", "chain", finder)
    search = log.start("search", "tool", retry)
    log.later(0.2)
    log.end(writer, AIMessage("Once."), usage=tokens(5, 2))
    log.end(story, AIMessage("Once."))
    for key in (search, retry, finder, facts, parallel, sequence):
        log.end(key, error=failure())
    log.finish(error=failure())
    return log


def nested(depth: int) -> LogWriter:
    """A chain in a chain in a chain, with a model at the bottom."""
    log = LogWriter("deep")
    keys = list[str]()
    for level in range(depth):
        keys.append(log.start(f"level {level + 1}", "chain", keys[-1] if keys else None))
        log.later(0.05)
    model = log.start("ChatLocal", "llm", keys[-1])
    log.later(0.2)
    log.end(model, AIMessage("Hi"), usage=tokens(3, 2))
    for key in reversed(keys):
        log.later(0.03)
        log.end(key, "Hi")
    log.finish("Hi")
    return log


def generated(seed: int, runs: int, *, finished: bool = True) -> LogWriter:
    """A log of so many runs below the root, some parallel, some failed, some stopped."""
    chance = random.Random(seed)
    log = LogWriter(f"generated {seed}")
    opened = list[str]()
    for _ in range(runs):
        parent = chance.choice([None, *opened[-6:]])
        name = chance.choice(["a/b", "a~b", "model", "<b>bold</b>", "look_up", "é", *WRAPPERS])
        kind = "chain" if name in WRAPPERS else chance.choice(KINDS)
        tags = chance.choice([[], ["mine"], ["map:key:a b", "mine"]])
        opened.append(log.start(name, kind, parent, tags=tags))
        log.later(chance.random() * 0.1)
        if chance.random() < 0.4:
            log.token(chance.choice(opened), chance.choice(["word ", "<i>", "é", ""]))
        if chance.random() < 0.45:
            _end_any(log, opened, chance)
    while finished and opened:
        _end_any(log, opened, chance)
    if finished:
        log.finish("done")
    return log


def _end_any(log: LogWriter, opened: list[str], chance: random.Random) -> None:
    key = opened.pop(chance.randrange(len(opened)))
    usage = (
        tokens(chance.randrange(2_000), chance.randrange(900)) if chance.random() < 0.5 else None
    )
    errors = [None, None, failure(), failure("CancelledError", "", stopped=True)]
    log.end(key, "out", usage=usage, error=chance.choice(errors))


def many(runs: int) -> LogWriter:
    """A log of so many runs: ten levels of depth, parallel branches, a model at each bottom."""
    log = LogWriter("many")
    open_runs = list[str]()
    for number in range(runs):
        while len(open_runs) > number % 10:
            log.end(open_runs.pop(), "done")
        kind = "llm" if number % 10 == 9 else KINDS[number % 5]
        log.later(0.002)
        open_runs.append(log.start(f"run {number}", kind, open_runs[-1] if open_runs else None))
    while open_runs:
        log.end(open_runs.pop(), "done")
    log.finish("done")
    return log


def _pointer(key: str) -> str:
    return "/logs/" + key.replace("~", "~0").replace("/", "~1")
