from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatnb.chat_models import init_chat_model
from chatnb.chat_models.providers import known_providers
from chatnb.chat_models.registry import all_providers
from chatnb.errors import BadRequestError, UnknownModelError
from chatnb.runnables import ConfigurableField
from chatnb.schema import AIMessage

GUIDE = Path(__file__).parents[2] / "docs" / "providers.md"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The guide's module and entry point, installed the way a package is."""
    code, toml = (
        re.search(rf"```{kind}\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
        for kind in ("ipython\n%%writefile shouting.py", "toml")
    )
    assert code
    assert toml
    (tmp_path / "shouting.py").write_text(code[1], encoding="utf-8")
    metadata = tmp_path / "shouting-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n")
    entry_points = toml[1].replace("project.entry-points.", "").replace('"', "")
    (metadata / "entry_points.txt").write_text(entry_points)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("shouting", None)


def test_the_guide_s_provider_is_forty_lines() -> None:
    """A provider takes no more than the guide promises."""
    code = re.search(
        r"```ipython\n%%writefile shouting.py\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL
    )
    assert code
    assert len(code[1].splitlines()) <= 40


def test_the_guide_s_table_has_every_provider_and_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of docs/providers.md names each built-in provider once, with its variable."""
    table = GUIDE.read_text("utf-8").partition("## Built-in providers")[2].partition("\n\nThe ")[0]
    keys = dict[str, str]()
    for name_column, _, key_column in re.findall(r"^\| (`.*?) \| (.*?) \| (.*?) \|$", table, re.M):
        variables = re.findall(r"`([A-Z_]+)`", key_column)
        for name in dict.fromkeys(re.findall(r"`(\w+)(?::[^`]*)?`", name_column)):
            assert name not in keys
            keys[name] = variables[0] if len(variables) == 1 and "," not in key_column else ""
    for variable in filter(None, keys.values()):
        monkeypatch.delenv(variable, raising=False)
    needs = {provider.name: provider.needs for provider in all_providers()}
    assert keys.keys() == needs.keys() - {"scripted"}
    assert [name for name, variable in keys.items() if variable not in needs[name]] == []


@pytest.mark.usefixtures("installed")
def test_another_package_adds_a_provider_by_an_entry_point() -> None:
    """`init_chat_model` finds it by name, hands it the model and the parameters, and lists it."""
    chat = init_chat_model("shout:very-loud", mark="?")
    assert chat.invoke("hi") == AIMessage(
        "HI?",
        usage_metadata={"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
        response_metadata={"finish_reason": "stop", "model_name": "very-loud"},
    )
    with pytest.raises(BadRequestError, match="nothing to shout"):
        chat.invoke(" ")
    with pytest.raises(UnknownModelError, match="Did you mean shout:"):
        init_chat_model("shot:loud")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("nowhere:Chat", "cannot be loaded from nowhere:Chat"),
        ("builtins:str", "made no chat model"),
    ],
)
def test_a_broken_provider_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    """A package whose entry point leads nowhere, or to something else, is named."""
    metadata = tmp_path / "broken-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[chatnb.chat_models]\nbroken = {value}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UnknownModelError, match=said):
        init_chat_model("broken:x")


def test_a_name_must_be_text() -> None:
    """None, from an unset variable, is told apart from an unknown name."""
    with pytest.raises(TypeError, match="takes a name such as"):
        init_chat_model(None)  # type: ignore[arg-type]


PLAIN = {
    "gpt-4o-mini": "openai",
    "o3-mini": "openai",
    "ft:gpt-4o-mini:org::id": "openai",
    "claude-haiku-5-5": "anthropic",
    "gemini-2.5-flash": "gemini",
    "grok-4": "xai",
    "command-a-03-2025": "cohere",
    "kimi-k2.6": "moonshot",
    "sonar-pro": "perplexity",
    "deepseek-chat": "deepseek",
    "mistral-large-latest": "mistral",
    "qwen-plus": "dashscope",
    "accounts/fireworks/models/llama-v3": "fireworks",
}
LANGCHAIN_S = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google_genai": "gemini",
    "mistralai": "mistral",
    "azure_ai": "azure_ai",
    "Azure-AI": "azure_ai",
    "groq": "groq",
    "ollama": "ollama",
    "xai": "xai",
    "together": "together",
    "fireworks": "fireworks",
    "huggingface": "huggingface",
    "nvidia": "nvidia",
    "cohere": "cohere",
    "perplexity": "perplexity",
    "google_vertexai": "vertex",
    "bedrock_converse": "bedrock",
}


@pytest.fixture
def _every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {row.key for row in known_providers().values()} | {"OPENAI_API_KEY"}
    for variable in {*keys, "ANTHROPIC_API_KEY"} - {None}:
        monkeypatch.setenv(str(variable), "some-very-secret-key")
    monkeypatch.setenv("AZURE_AI_ENDPOINT", "https://r.services.ai.azure.com/openai/v1")


@pytest.mark.usefixtures("_every_key")
@pytest.mark.parametrize(("model", "provider"), PLAIN.items())
def test_a_plain_name_finds_its_provider(model: str, provider: str) -> None:
    """A model that only one provider serves by that name needs no provider."""
    chat = init_chat_model(model, temperature=0)
    assert (chat.provider, chat.model_name) == (provider, model)


@pytest.mark.usefixtures("_every_key")
@pytest.mark.parametrize(("given", "provider"), LANGCHAIN_S.items())
def test_the_provider_may_be_given_beside_the_model(given: str, provider: str) -> None:
    """`model_provider` takes chatnb's names and LangChain's, and the model is the whole name."""
    for model in ("vendor/some-model:8b", f"{given}:vendor/some-model:8b"):
        chat = init_chat_model(model=model, model_provider=given)
        assert (chat.provider, chat.model_name) == (provider, "vendor/some-model:8b")


@pytest.mark.parametrize("name", ["llama3.2", "gpt-oss-120b", "mixtral-8x7b", "qwen3-32b", ""])
def test_a_model_that_many_serve_needs_a_provider(name: str) -> None:
    """The error lists the providers."""
    with pytest.raises(UnknownModelError, match=r"Write PROVIDER:MODEL with one of .*together"):
        init_chat_model(name)
    with pytest.raises(UnknownModelError, match="'opnai:m'"):
        init_chat_model("m", model_provider="opnai")


def test_a_prefix_without_fields_is_refused() -> None:
    """It would be without effect."""
    with pytest.raises(TypeError, match="configurable_fields"):
        init_chat_model("scripted:a", config_prefix="first")


def test_the_spelling_of_a_configurable_model_works() -> None:
    """The config of a run chooses among models that `init_chat_model` made."""
    chat = init_chat_model("scripted:a").configurable_alternatives(
        ConfigurableField("model"), other=init_chat_model("scripted:b")
    )
    replies = [chat.invoke("Hi"), chat.invoke("Hi", {"configurable": {"model": "other"}})]
    assert [reply.text for reply in replies] == ["a", "b"]
