"""Providers and what they need on this machine."""

from __future__ import annotations

import pytest

from chatnb.chat_models.providers import known_providers
from chatnb.chat_models.registry import (
    Availability,
    Entry,
    all_providers,
    is_loopback,
    key_variables,
    models_served,
    ready_models,
    running_servers,
)
from chatnb.errors import ConfigurationError, UnknownModelError


def provider(name: str) -> Availability:
    return next(each for each in all_providers() if each.name == name)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*key_variables(), "AZURE_AI_ENDPOINT", "AZURE_OPENAI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("entry", "needs"),
    [
        (Entry("x", "m:f", "M"), ""),
        (Entry("x", "m:f", "M", package="json", extra="e"), ""),
        (Entry("x", "m:f", "M", package="json", missing="builtins:str"), ""),
        (Entry("x", "m:f", "M", missing="platform:python_implementation"), "CPython"),
        (
            Entry("x", "m:f", "M", package="no_such_module", extra="e", missing="builtins:print"),
            "install chatnb[e]",
        ),
        (
            Entry("x", "m:f", "M", package="no_such_module", extra="e", variables=("A_B", "C_D")),
            "install chatnb[e] and set A_B and C_D",
        ),
    ],
)
def test_an_entry_says_what_is_missing(entry: Entry, needs: str) -> None:
    """A package, weights, and variables; a provider that needs nothing is ready."""
    assert entry.availability() == Availability("x", "x:M", not needs, needs)


def test_each_provider_has_a_name_to_write_and_what_it_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The address of one's own as well as the key; of a server here only that knows."""
    assert [
        provider(name) for name in ("openai", "azure", "azure_ai", "gemini", "llamacpp", "ollama")
    ] == [
        ("openai", provider("openai").example, False, "set OPENAI_API_KEY"),
        ("azure", "azure:DEPLOYMENT", False, "set AZURE_OPENAI_API_KEY and AZURE_OPENAI_ENDPOINT"),
        ("azure_ai", "azure_ai:MODEL", False, "set AZURE_AI_API_KEY and set AZURE_AI_ENDPOINT"),
        ("gemini", "gemini:MODEL", False, "set GEMINI_API_KEY"),
        ("llamacpp", "llamacpp", None, "%chat models llamacpp asks http://127.0.0.1:8080/v1"),
        ("ollama", "ollama:MODEL", None, "%chat models ollama asks http://127.0.0.1:11434/v1"),
    ]
    assert all_providers()[-1] == ("scripted", "scripted:TEXT", True, "")
    monkeypatch.setenv("AZURE_AI_API_KEY", "k")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k")
    monkeypatch.setenv("GOOGLE_API_KEY", "k")
    assert provider("azure_ai").needs == "set AZURE_AI_ENDPOINT"
    assert provider("azure").needs == "set AZURE_OPENAI_ENDPOINT"
    assert provider("gemini") == ("gemini", "gemini:MODEL", True, "")
    states = {each.usable: each.state for each in all_providers()}
    assert states == {True: "ready", False: "not ready", None: "if its server runs"}


def test_a_provider_without_a_key_is_on_this_machine() -> None:
    """Nobody else serves models to everybody, so that only the server can tell."""
    for name, row in known_providers().items():
        assert (row.key is None) is is_loopback(row.base_url) is (provider(name).usable is None)


def test_default_models_are_ready_with_their_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A placeholder is no model, whatever variables are set."""
    before = ready_models()
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    monkeypatch.setenv("AWS_REGION", "r")
    assert set(ready_models()) - set(before) == {provider("anthropic").example}


def test_the_variables_of_keys_are_known() -> None:
    """Each once, with other names of it, and without those of addresses."""
    names = key_variables()
    assert len(names) == len(set(names))
    assert {"AZURE_OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "HF_TOKEN"} <= {*names}
    assert not {"AWS_REGION", "AZURE_OPENAI_ENDPOINT", "AZURE_AI_ENDPOINT"} & {*names}


@pytest.mark.parametrize(
    ("address", "is_here"),
    [
        ("http://127.0.0.1:8080/v1", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:1", True),
        ("http://localhost:8000/v1", True),
        ("http://10.0.0.1", False),
        ("http://localhost.test", False),
        ("https://api.test/127.0.0.1", False),
        ("", False),
    ],
)
def test_only_this_machine_is_here(address: str, is_here: bool) -> None:
    """By its name or any of its addresses; a network is another machine."""
    assert is_loopback(address) is is_here


def test_a_server_that_is_not_here_is_not_asked() -> None:
    """The errors say which there are."""
    with pytest.raises(UnknownModelError, match=r"called 'olama'. There are openai, anthropic, "):
        models_served("olama")
    for name in ("openai", "groq"):
        with pytest.raises(ConfigurationError, match=r"Only servers .*: llamacpp, lmstudio, "):
            models_served(name)


def test_a_browser_asks_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pages may not ask other addresses."""
    monkeypatch.setattr("chatnb.concurrency.waiting._has_threads", False)
    assert running_servers() == {}
