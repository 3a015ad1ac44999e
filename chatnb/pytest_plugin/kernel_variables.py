"""The environment variables of the kernel of a notebook under test."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TypeAlias

from chatnb.cassettes.active import FILE_VARIABLE
from chatnb.cassettes.cassette import IGNORE_VARIABLE, MODE_VARIABLE
from chatnb.cassettes.misses import COMMAND_VARIABLE
from chatnb.chat_models.registry import key_variables
from chatnb.redaction import PLACEHOLDER_KEY

# A test neither continues the conversations of this machine nor adds its own.
_STORE_VARIABLE = "CHATNB_STORE"

Mode: TypeAlias = Literal["replay", "record", "refresh", "live"]

# Libraries report runs, look for new versions and fetch price lists on their own, which is no part
# of a notebook.
_NO_TELEMETRY = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}
# The time zone, and the order of sets.
_SAME_EACH_TIME = {"TZ": "UTC", "PYTHONHASHSEED": "0"}


def kernel_variables(
    mode: Mode, cassette: Path, accept: str, ignored: Iterable[str], *, recorded_clock: bool
) -> dict[str, str]:
    """Return the variables of a kernel whose models are answered in a mode."""
    return {
        FILE_VARIABLE: str(cassette),
        MODE_VARIABLE: "off" if mode == "live" else mode,
        COMMAND_VARIABLE: accept,
        IGNORE_VARIABLE: "\n".join(ignored),
        _STORE_VARIABLE: ":memory:",
        **(_NO_TELEMETRY if mode != "live" else {}),
        **(_SAME_EACH_TIME if recorded_clock else {}),
        **_placeholder_keys(mode),
    }


def _placeholder_keys(mode: Mode) -> dict[str, str]:
    """Return keys with which clients can be made: in a replay, also in place of real ones."""
    if mode == "live":
        return {}
    # Hugging Face serves most files to those without a token, and to none with a wrong one.
    optional = () if mode == "replay" else ("HF_TOKEN", "HUGGINGFACEHUB_API_TOKEN")
    wanted = (name for name in key_variables() if name not in optional)
    unset = [name for name in wanted if mode == "replay" or not os.environ.get(name)]
    return {name: f"{PLACEHOLDER_KEY}{name}" for name in unset}
