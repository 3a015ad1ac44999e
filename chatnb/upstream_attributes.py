"""Attributes and arguments of LangChain's objects that are not here, with what to write instead.

An attribute is a descriptor that raises the AttributeError. A `__getattr__` could do so for all
names, but CPython reads every attribute of a class that has one in a slower way.
"""

from __future__ import annotations

import inspect

TYPE_CHECKING = False  # typing itself takes longer to load than all that is loaded here.
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TypeVar

    _Class = TypeVar("_Class", bound=type)

_ATTRIBUTES = {
    "InputType": "write chain.input_schema or get_input_jsonschema()",
    "OutputType": "write chain.output_schema or get_output_jsonschema()",
    "config_schema config_specs get_config_jsonschema": (
        "chain.configurable_fields(...) says which fields a config may set"
    ),
    "stream_events": "write chain.astream_events(input)",
    (
        "build_extra construct copy model_construct model_fields pre_init_validation set_verbose "
        "validate_environment validate_input_variables validate_temperature "
        "validate_variable_names"
    ): ("write the argument into the constructor: a model, prompt or parser is made anew"),
    "model_copy": (
        "chat.with_config(...), chat.bind(...), or copy.copy(chat) and setting its attributes"
    ),
    "asdict dict json model_dump model_dump_json": (
        "vars(it) has its attributes, and repr(it) shows it; keys are hidden"
    ),
    (
        "get_lc_namespace is_lc_serializable lc_attributes lc_id lc_secrets save to_json "
        "to_json_not_implemented"
    ): ("chatnb.schema.messages_to_json saves messages; chains are Python code"),
    "apredict_text call_as_llm predict_text": "write chat.invoke(text).text",
    "beta chat completions responses": "write chat.invoke(messages), or chat.stream(messages)",
    "with_options": (
        "write chat.bind(timeout=...), or give it to the call: chat.invoke(messages, timeout=...)"
    ),
    "choices output output_parsed output_text parsed": (
        "write message.text, and message.tool_calls"
    ),
    "usage": "write message.usage_metadata['input_tokens'] and ['output_tokens']",
    "bind_functions": "write chat.bind_tools([...])",
    "get_token_ids": "write chat.get_num_tokens(text)",
    "client_name": "write chat.model_name, and to choose another model make another chat",
    "async_client client root_async_client root_client": (
        "the SDK's client is chatnb's own; http_client= is a client of httpx that it uses"
    ),
    "parse_with_prompt": "write parser.parse(text): a parser of chatnb has no use of the prompt",
    "get_format_instructions": (
        "chat.with_structured_output(Type) asks for the form itself; a parser of text has no "
        "instructions"
    ),
    "optional_variables": "an optional variable is a MessagesPlaceholder(..., optional=True)",
    "deployment_name": "write chat.azure_deployment",
    "draw_ascii draw_mermaid_png draw_png print_ascii": (
        "write chain.get_graph().draw_mermaid(), which Markdown shows as a diagram"
    ),
    "is_single_input": "write len(tool.args) == 1",
    "output_parser": "write prompt | chat | parser",
    "_identifying_params _llm_type": (
        "write the model's and provider's names: chat.model_name, chat.provider"
    ),
    "profile": "chatnb has no list of what a model can do; %chat models shows the models",
    "chunk_position": (
        "write chunk.response_metadata.get('finish_reason'), which the last chunk has"
    ),
}
_ARGUMENTS = {
    "openai_proxy": (
        "write http_client=httpx.Client(proxy=...) and "
        "http_async_client=httpx.AsyncClient(proxy=...), or set HTTPS_PROXY"
    ),
    "project": "write default_headers={'OpenAI-Project': ...}",
    "http_socket_options": (
        "write http_client=httpx.Client(transport=httpx.HTTPTransport(socket_options=...))"
    ),
    "async_client client root_async_client root_client": (
        "the SDK's client is chatnb's own; write http_client=httpx.Client(...) for its connections"
    ),
    "disabled_params": (
        "leave it out: a request has the parameters that you give, and those that a model refuses"
        " are left out"
    ),
    "include_response_headers": (
        "write http_client=httpx.Client(event_hooks={'response': [function]}), which gets the "
        "headers"
    ),
    "stream_chunk_timeout": "write timeout= for each chunk, and deadline= for the whole call",
    "custom_get_token_ids tiktoken_model_name": (
        "tokens are estimated: chat.get_num_tokens(text), or token_counter= of trim_messages"
    ),
    "profile": "chatnb has no list of what a model can do, and needs none",
    "engine model_id": "write model=",
    "openai_api_type": "write chatnb.chat_models.AzureChatOpenAI(...)",
    "model_version": "leave it out: prices go by the name that the reply gives",
    "validate_base_url": "leave it out: the address is not checked",
    "azure_ad_async_token_provider": (
        "write azure_ad_token_provider=, which may be a coroutine function"
    ),
    "output_parser": "write prompt | chat | parser",
    "callbacks metadata tags": "write with_config(tags=..., metadata=..., callbacks=...)",
    "input_types": "leave it out: values of any type fill a prompt",
    "optional_variables": "write MessagesPlaceholder(..., optional=True)",
    "verbose": "write callbacks=[chatnb.tracing.LoggingHandler()]",
    "example": "leave it out; it has no effect on a request",
}
# LangChain's objects have their arguments as attributes.
_POINTERS = {name: text for names, text in _ARGUMENTS.items() for name in names.split()} | {
    name: text for names, text in _ATTRIBUTES.items() for name in names.split()
}


class _Missing:
    """An attribute that is not there; reading it says what to write instead.

    It is not a data descriptor, so instances and subclasses may have an attribute of its name.
    """

    def __init__(self, home: type, name: str) -> None:
        self._home, self._name = home, name

    def __repr__(self) -> str:
        return f"<not in chatnb: {_POINTERS[self._name]}>"

    def __get__(self, instance: object, owner: type) -> Any:
        thing = owner if instance is None else instance
        # A mixin that comes after this class may have it.
        later: Any = super(self._home, thing)  # pyright: ignore[reportUnknownVariableType]
        found = getattr(later, self._name, self)  # pyright: ignore[reportUnknownArgumentType]
        if found is not self:
            return found
        kind = "type object {!r}" if instance is None else "{!r} object"
        text = f"has no attribute {self._name!r}: {_POINTERS[self._name]}"
        raise AttributeError(f"{kind.format(owner.__name__)} {text}", name=self._name, obj=thing)


def point_elsewhere(cls: _Class) -> _Class:
    """Make a class's AttributeErrors for LangChain's attributes say what to write instead.

    The names are neither in `dir()` of its objects nor found by `hasattr`.

    Example:
        >>> from chatnb.schema import AIMessage
        >>> AIMessage("Hi").output_text
        Traceback (most recent call last):
            ...
        AttributeError: 'AIMessage' object has no attribute 'output_text': write message.text...
    """
    missing = {name: _Missing(cls, name) for name in _POINTERS.keys() - {*dir(cls)}}
    for name, value in {**missing, "__dir__": _names_there}.items():
        setattr(cls, name, value)
    return cls


def _names_there(self: object) -> list[str]:
    return [name for name in object.__dir__(self) if not _is_missing(self, name)]


def _is_missing(owner: object, name: str) -> bool:
    if name not in _POINTERS or not isinstance(inspect.getattr_static(owner, name), _Missing):
        return False
    return not hasattr(owner, name)


def argument_pointer(name: str) -> str:
    """Return the sentence for an argument of LangChain's that chatnb's class has not, or ""."""
    text = next((text for names, text in _ARGUMENTS.items() if name in names.split()), "")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def refuse_arguments(owner: object, given: Iterable[str]) -> None:
    """Raise a TypeError for the first argument that a class has not, with a pointer to another."""
    for name in given:
        text = f"{type(owner).__name__} has no argument {name}=. {argument_pointer(name)}"
        raise TypeError(text.rstrip())
