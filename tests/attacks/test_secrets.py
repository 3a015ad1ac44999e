"""Secrets in what is shown, printed and written: a sample; `make soak` tries them all."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from tests.attacks.secrets import Leaks, made_up_secrets
from tests.chat_models.test_secrets import echo
from tests.support.loopback import LoopbackServer


@pytest.mark.slow
def test_no_output_shows_a_secret(
    bare_shell: InteractiveShell, tmp_path: Path, loopback: LoopbackServer
) -> None:
    """Of a sample of kinds, none shows in an error, a traceback, a file, a table or a log."""
    loopback.plays(echo("401 Unauthorized"))
    leaks, secrets = Leaks(bare_shell, tmp_path, loopback.base_url), made_up_secrets(1)
    assert len(set(secrets.values())) >= 60
    for kind in [*secrets][::20]:
        assert [*leaks.found(secrets[kind])] == [], kind
    assert len(dict(leaks.outputs("harmless"))) >= 12
