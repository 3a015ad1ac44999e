"""Secrets of many shapes, made up when they are needed, and the outputs that must show none."""

from __future__ import annotations

import io
import logging
import random
import shlex
import string
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.ultratb import VerboseTB

from chatnb import AIMessage, ChatPanel, Conversation, HumanMessage, RunLog, ScriptedChatModel
from chatnb.cassettes.cassette import Cassette
from chatnb.chat_models import ChatOpenAI
from chatnb.cli.doctor import examine
from chatnb.errors import ChatnbError
from chatnb.notebook.panel.transcript import panel_mimebundle
from chatnb.notebook.usage_table.static import usage_mimebundle
from chatnb.schema.model_call import ModelCall
from chatnb.tracing import JSONLHandler, LoggingHandler
from tests.attacks.surfaces import Surfaces
from tests.support.model_calls import tokens
from tests.test_redaction import SECRETS

_LETTERS = string.ascii_letters + string.digits
# As gitleaks' rules have them: what they begin with, and how many letters or digits follow.
_PREFIXES = {
    "sess-": 40, "sk-ant-admin01-": 80, "rk_live_": 24, "whsec_": 32, "tgp_v1_": 43, "fw_": 24,
    "pcsk_": 60, "tvly-": 32, "api_org_": 34, "GOCSPX-": 28, "1//0": 60, "gho_": 36, "ghu_": 36,
    "ghs_": 36, "ghr_": 36, "glptt-": 40, "glrt-": 20, "xoxp-": 40, "xapp-1-": 40, "dckr_pat_": 27,
    "ASIA": 16, "123456789:AA": 33,
}  # fmt: skip


def made_up_secrets(seed: int) -> dict[str, str]:
    """Return 60 secrets by their kinds."""
    letters = random.Random(seed)
    made = {
        prefix: prefix + "".join(letters.choices(_LETTERS, k=length - 1)) + "7"
        for prefix, length in _PREFIXES.items()
    }
    made["ASIA"] = made["ASIA"].upper()
    return {**SECRETS, **made}


class Leaks:
    """A notebook whose model has a secret as its key, and whose server repeats all it was sent.

    Args:
        shell: An IPython without a kernel.
        folder: Where files are written.
        url: A server that repeats the request in its errors.
    """

    def __init__(self, shell: InteractiveShell, folder: Path, url: str) -> None:
        self._surfaces = Surfaces(shell, folder)
        self._shell, self._folder, self._url, self._files = shell, folder, url, 0

    def found(self, secret: str) -> Iterator[str]:
        """Yield the names of the outputs that show a secret."""
        for name, text in self.outputs(secret):
            if secret in text or secret.replace("\n", "\\n") in text:
                yield name

    def outputs(self, secret: str) -> Iterator[tuple[str, str]]:
        """Yield each output's name, and its text."""
        error = self._error(secret)
        yield "error text", str(error)
        yield "repr", repr(error)
        caught = pytest.ExceptionInfo.from_exception(error)
        yield "pytest, long", str(caught.getrepr(showlocals=True, style="long"))
        verbose = VerboseTB()
        yield "%xmode Verbose", verbose.text(type(error), error, error.__traceback__)
        yield "%chat explain --show", self._explanation(secret)
        yield "cassette", self._cassette(secret)
        yield "run log", self._run_log(secret)
        yield from self._traces(secret)
        yield from self._conversation(secret, error)
        call = ModelCall("m", secret, secret, tokens(3, 2), error=str(error))
        yield "usage table", str(usage_mimebundle([call]))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OPENAI_API_KEY", secret)
            patch.setenv("OPENAI_BASE_URL", self._url.replace("://", f"://ada:{secret}@"))
            with redirect_stdout(io.StringIO()):
                yield "doctor", str(list(examine()))

    def _model(self, secret: str) -> ChatOpenAI:
        return ChatOpenAI("m", api_key=secret, base_url=self._url, max_retries=0)

    def _error(self, secret: str) -> ChatnbError:
        with pytest.raises(ChatnbError) as caught:
            self._model(secret).invoke("x")
        trace = caught.value.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        return caught.value.with_traceback(trace)

    def _explanation(self, secret: str) -> str:
        self._shell.push({"said": self._model(secret), "settings": {"Authorization": secret}})
        cells = ("%chat use said", "settings['a'], settings", "%chat explain --show")
        first = str([*self._surfaces._run(*cells)])
        cells = ("said.invoke(str(len(settings)))", "%chat explain --show")
        return first + str([*self._surfaces._run(*cells)])

    def _path(self, suffix: str) -> Path:
        self._files += 1
        return self._folder / f"{self._files}.{suffix}"

    def _cassette(self, secret: str) -> str:
        path = self._path("yaml")
        with Cassette(path, "record"):
            ScriptedChatModel([f"The key is {secret}"]).invoke(f"My key: {secret}")
            with suppress(ChatnbError):
                self._model(secret).invoke("x")
        return path.read_text(encoding="utf-8")

    def _run_log(self, secret: str) -> str:
        path, log = self._path("jsonl"), RunLog()
        with suppress(ChatnbError):
            for patch in self._model(secret).stream_log("x"):
                log += patch
        log.save(path)
        return path.read_text(encoding="utf-8")

    def _traces(self, secret: str) -> Iterator[tuple[str, str]]:
        path, written = self._path("jsonl"), io.StringIO()
        logger, handler = logging.getLogger("chatnb"), logging.StreamHandler(written)
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        try:
            with JSONLHandler(path) as file:
                config: Any = {"callbacks": [file, LoggingHandler(content=True)]}
                ScriptedChatModel([f"The key is {secret}"]).invoke(f"My key: {secret}", config)
                with suppress(ChatnbError):
                    self._model(secret).invoke("x", config)
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
        yield "tracing", path.read_text(encoding="utf-8")
        yield "logs", written.getvalue()

    def _conversation(self, secret: str, error: ChatnbError) -> Iterator[tuple[str, str]]:
        conversation = Conversation(f"leak {self._files}")
        conversation.add(HumanMessage(f"My key: {secret}"))
        conversation.add(AIMessage(f"It is {secret}"), status="failed", facts={"error": str(error)})
        panel = ChatPanel(self._model(secret), name=conversation.name)
        with suppress(ChatnbError):
            panel.ask("x").result(60)
        for suffix in ("ipynb", "md"):
            path = self._path(suffix)
            export = f"%chat export {path} {shlex.quote(conversation.name)}"
            printed = str([*self._surfaces._run(export)])
            yield f"export {suffix}", printed + path.read_text(encoding="utf-8")
        form = panel_mimebundle(conversation.path())
        yield "panel", f"{form} {panel.to_cells()} {panel!r}"
        conversation.forget()
