"""Default models, and parameters that families of models refuse."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any, get_args

import pytest
from anthropic.types import model as anthropic_models
from openai.types import ChatModel

from chatnb.chat_models import AzureChatOpenAI, BaseChatModel, ChatAnthropic, ChatOpenAI
from chatnb.chat_models.model_families import (
    ANTHROPIC_FAMILIES,
    DEFAULT_MODELS,
    OPENAI_FAMILIES,
    Family,
    drop_refused,
)
from chatnb.schema import HumanMessage
from chatnb.schema.prices import get_price
from chatnb.schema.usage import UsageMetadata

OPENAI_NAMES: tuple[str, ...] = get_args(ChatModel)
ANTHROPIC_NAMES: tuple[str, ...] = get_args(get_args(anthropic_models.Model)[0])
SAMPLING = {"temperature": 0.2, "top_p": 0.5}
TOKENS = UsageMetadata(input_tokens=1, output_tokens=1, total_tokens=2)


def generation(name: str) -> int:
    found = re.match(r"(?:gpt|claude-\w+)-(\d+)", name)
    return int(found[1]) if found else 0


@pytest.mark.parametrize(
    ("provider", "names", "kind"),
    [("openai", OPENAI_NAMES, "gpt-"), ("anthropic", ANTHROPIC_NAMES, "claude-haiku-")],
)
def test_default_models_are_current(provider: str, names: Sequence[str], kind: str) -> None:
    """The SDK names the default model, of its newest generation, and it has a price."""
    default = DEFAULT_MODELS[provider]
    assert default in names
    assert generation(default) == max(generation(n) for n in names if n.startswith(kind))
    assert get_price(provider, default, TOKENS) is not None


def left_of(families: Sequence[Family], model: str, **params: Any) -> set[str]:
    """Return which parameters are left of those given, without the warning."""
    given = {**SAMPLING, **params}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drop_refused(families, [model], given)
    return SAMPLING.keys() & given.keys()


OLD_OPENAI = re.compile(r"gpt-(3|4|audio)|chatgpt-4|gpt-5-chat|codex-mini")
OLD_CLAUDE = re.compile(r"claude-(opus|sonnet)-4-(5|6)|claude-haiku-4-5")


def test_reasoning_models_of_openai_take_no_sampling() -> None:
    """Every model that the SDK names is of the generation that samples, or of those that reason."""
    sample = [name for name in OPENAI_NAMES if left_of(OPENAI_FAMILIES, name)]
    assert sample == [name for name in OPENAI_NAMES if OLD_OPENAI.match(name)]


def test_new_models_of_anthropic_take_no_sampling() -> None:
    """Those before 4.7 do, and all later ones do not."""
    sample = [name for name in ANTHROPIC_NAMES if left_of(ANTHROPIC_FAMILIES, name)]
    assert sample == [name for name in ANTHROPIC_NAMES if OLD_CLAUDE.match(name)]


@pytest.mark.parametrize(
    ("model", "takes"),
    [
        *(("claude-3-5-haiku-latest", True), ("claude-opus-4-20250514", True)),
        *(("claude-opus-4-1-20250805", True), ("claude-sonnet-4-0", True)),
        *(("claude-opus-4-10", False), ("claude-haiku-7", False), ("my-model", True)),
    ],
)
def test_other_names_of_anthropic(model: str, takes: bool) -> None:
    """Old names sample, names to come do not, and nothing is known of other ones."""
    assert bool(left_of(ANTHROPIC_FAMILIES, model)) is takes


@pytest.mark.parametrize(
    "effort", [{"reasoning_effort": "none"}, {"reasoning": {"effort": "none"}}]
)
def test_a_model_that_does_not_reason_samples(effort: dict[str, Any]) -> None:
    """Since GPT-5.1 reasoning can be turned off, and then the parameters are taken."""
    assert left_of(OPENAI_FAMILIES, "gpt-5.2", **effort) == SAMPLING.keys()
    assert left_of(OPENAI_FAMILIES, "gpt-5-mini", **effort) == set()


MODELS: dict[str, Any] = {
    "openai": lambda **params: ChatOpenAI("gpt-5-mini", api_key="none", **params),
    "responses": lambda **params: ChatOpenAI(
        "gpt-5-mini", api_key="none", use_responses_api=True, **params
    ),
    "azure": lambda **params: AzureChatOpenAI(
        "gpt-5-mini",
        azure_deployment="mine",
        azure_endpoint="http://server",
        api_version="1",
        api_key="none",
        **params,
    ),
    "anthropic": lambda **params: ChatAnthropic("claude-opus-5-5", api_key="none", **params),
}


def sent(chat: BaseChatModel, **params: Any) -> dict[str, Any]:
    request: Any = getattr(chat, "_request")([HumanMessage("Hi")], params)  # noqa: B009
    return request.sent


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_refused_parameters_are_left_out_with_one_warning(make: Any) -> None:
    """Given to the model or the call; what `extra_body` has is sent as it is."""
    chat = make(temperature=0.25)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        bodies = [sent(chat), sent(chat), sent(make(), temperature=0.5)]
    assert not any("temperature" in body for body in bodies)
    assert len(seen) <= 1
    assert all("takes no temperature" in str(warning.message) for warning in seen)
    assert sent(make(extra_body={"temperature": 0.3}))["temperature"] == 0.3
    assert "temperature" not in sent(make(), temperature=1)


def test_the_warning_names_model_and_parameters() -> None:
    """A warning says what was left out, once for a model."""
    params = {"temperature": 0.2, "top_p": 0.3, "presence_penalty": 0}
    with pytest.warns(UserWarning, match=r"^gpt-9-nova takes no temperature, top_p,"):
        drop_refused(OPENAI_FAMILIES, ["gpt-9-nova"], dict(params))
    drop_refused(OPENAI_FAMILIES, ["gpt-9-nova"], dict(params))  # A second warning is an error.


def test_the_model_of_a_call_decides() -> None:
    """Another model for one call takes what it takes."""
    chat = ChatOpenAI("gpt-5-mini", api_key="none")
    assert sent(chat, model="gpt-4o", temperature=0.2)["temperature"] == 0.2


@pytest.mark.parametrize(
    ("names", "params", "left", "told"),
    [
        (["gpt-4o"], {"temperature": 0.2}, ["temperature"], ""),
        (["gpt-5-a"], {"temperature": None, "x": 1}, ["temperature", "x"], ""),
        (["gpt-5-b"], {"temperature": 1, "top_p": 1, "presence_penalty": 0}, [], ""),
        (["gpt-5-c"], {"logprobs": False, "frequency_penalty": 0}, [], ""),
        (["gpt-5-d"], {"logprobs": True, "x": 1}, ["x"], "gpt-5-d takes no logprobs, so that"),
        (["gpt-5-e"], {"temperature": 0}, [], "gpt-5-e takes no temperature, so that"),
        (["mine", "gpt-5-f"], {"top_p": 0}, [], "gpt-5-f takes no top_p, so that"),
        (
            ["gpt-5.1-g"],
            {"top_p": 0, "reasoning_effort": "none"},
            ["top_p", "reasoning_effort"],
            "",
        ),
        (["gpt-5.1-h"], {"top_p": 0, "reasoning": {"effort": "none"}}, ["top_p", "reasoning"], ""),
        (
            ["gpt-5.1-i"],
            {"top_p": 0, "reasoning": {"effort": "low"}, "reasoning_effort": "none"},
            ["reasoning", "reasoning_effort"],
            "gpt-5.1-i takes no top_p, so that",
        ),
        (
            ["gpt-5-j"],
            {"top_p": 0, "reasoning_effort": "none"},
            ["reasoning_effort"],
            "gpt-5-j takes no top_p, so that",
        ),
    ],
)
def test_what_a_family_refuses_is_left_out(
    names: list[str], params: dict[str, Any], left: list[str], told: str
) -> None:
    """Without a word where it asks for what is the case anyway."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        drop_refused(OPENAI_FAMILIES, names, params)
    assert list(params) == left
    assert [str(warning.message).partition(" is left")[0] for warning in seen] == [told] * bool(
        told
    )
