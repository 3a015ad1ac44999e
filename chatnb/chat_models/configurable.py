"""A chat model that the config of each run chooses, as `init_chat_model` returns without a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, Literal, TypeAlias, cast

from chatnb.chat_models.base import BaseChatModel
from chatnb.errors import ConfigurationError
from chatnb.runnables.binding import Call, RunnableDelegate
from chatnb.runnables.config import RunnableConfig, effective_config
from chatnb.schema.conversion import ChatInput
from chatnb.schema.messages import AIMessage, BaseMessage

Fields: TypeAlias = Literal["any"] | Sequence[str] | None

_CHOICE = ("model", "model_provider")


class ConfigurableChatModel(RunnableDelegate[ChatInput, AIMessage]):
    """A chat model whose name and arguments `config["configurable"]` may set for one run.

    Args:
        make: The function that makes a model, `init_chat_model`.
        defaults: Its arguments where the config has none.
        fields: The arguments that a config may set, or `any`; by default the model's name and
            provider.
        prefix: The text before the arguments in the config, with an underscore after it.

    Raises:
        ConfigurationError: When it runs, if neither the defaults nor the config name a model.

    Example:
        >>> from chatnb.chat_models import init_chat_model
        >>> chat = init_chat_model(configurable_fields=("model",))
        >>> chat.invoke("Hi", {"configurable": {"model": "scripted:Hello."}})
        AIMessage(content='Hello.')
    """

    def __init__(
        self,
        make: Callable[..., BaseChatModel],
        defaults: Mapping[str, Any],
        *,
        fields: Fields = None,
        prefix: str | None = None,
    ) -> None:
        self._make, self._defaults = make, dict(defaults)
        self._fields = _CHOICE if fields is None else fields
        self._prefix = f"{prefix}_" if prefix else ""
        self._methods: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        has_name = self._defaults.get("model") is not None
        bound = make(**self._defaults) if has_name else _NoModel(f"{self._prefix}model")
        super().__init__(bound)

    def __repr__(self) -> str:
        return f"ConfigurableChatModel({self.bound!r})"

    def kept_method(self, name: str) -> Callable[..., Any]:
        method = super().kept_method(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            changed = method(*args, **kwargs)
            changed._methods = [*self._methods, (name, args, kwargs)]
            return changed

        return call

    def around(self, wrapped: list[Any]) -> Any:
        changed = copy(self)
        changed.bound, changed.chunks_replace = wrapped[0], wrapped[0].chunks_replace
        return changed

    def resolve(self, config: RunnableConfig | None, kwargs: dict[str, Any]) -> Call:
        given = self._given((effective_config(config) or {}).get("configurable") or {})
        if not given:
            return self.bound, config, kwargs
        chosen: Any = self._make(**{**self._defaults, **given})
        for name, args, options in self._methods:
            chosen = getattr(chosen, name)(*args, **options)
        return chosen, config, kwargs

    def _given(self, configurable: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of a model that a config sets."""
        names = {
            key.removeprefix(self._prefix): value
            for key, value in configurable.items()
            if key.startswith(self._prefix)
        }
        if self._fields == "any":
            # Other runnables of a chain have entries, too; with a prefix those are left out.
            return names
        return {name: names[name] for name in cast("Sequence[str]", self._fields) if name in names}


class _NoModel(BaseChatModel):
    """The chat model before a config has chosen one."""

    model_name = "configurable"

    def __init__(self, field: str) -> None:
        self._field = field

    def __repr__(self) -> str:
        return "no model"

    def _generate(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        raise ConfigurationError(
            f'No model is chosen. Write config={{"configurable": {{"{self._field}": '
            '"openai:gpt-4o-mini"}}, or give init_chat_model a name for runs without one.'
        )
