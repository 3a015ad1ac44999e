"""Redact secrets: the one place that knows what looks like a key, a token or a password.

Cassettes, errors, `%chat explain`, logs and exports all pass through it, so that a shape that is
added to the table is redacted everywhere.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple, TypeVar, cast
from urllib.parse import parse_qsl, quote, unquote, urlsplit

T = TypeVar("T")

REDACTED = "***"

PLACEHOLDER_KEY = "sk-placeholder-0-"
"""Keys that begin so are none: they let SDKs make clients that are never to call anybody."""

MIN_SECRET_LENGTH = 7
# Servers that need no key are given words such as "none", which ordinary text may well contain.

_MAX_DEPTH = 8


class SecretText(str):
    """A secret as SDKs take it, whose repr does not show it: tracebacks print local variables.

    Example:
        >>> {"Authorization": SecretText("Bearer abc")}
        {'Authorization': '***'}
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(REDACTED)


class SecretShape(NamedTuple):
    """The shape of one issuer's secrets.

    Args:
        issuer: Whose secrets they are.
        hints: Texts of which a secret of this shape contains one; looking for them is quick.
        pattern: A regular expression for the secret itself.
    """

    issuer: str
    hints: tuple[str, ...]
    pattern: str


# The shapes are public facts: the token formats that issuers document, as gitleaks
# (config/gitleaks.toml) and detect-secrets (detect_secrets/plugins) list them. Lengths are lower
# bounds, since issuers lengthen their tokens without notice.
SECRET_SHAPES = (
    # OpenAI, Anthropic, OpenRouter, DeepSeek, LiteLLM and others.
    SecretShape(
        "sk-", ("sk-", "rk-", "pk-", "sess-"), r"\b(?:sk|rk|pk|sess)-(?=[\w-]{0,64}\d)[\w-]{16,}"
    ),
    SecretShape(
        "OpenAI accounts", ("org", "proj"), r"\b(?:org|proj)[-_](?=\w{0,64}\d)[A-Za-z0-9]{16,}"
    ),
    SecretShape(
        "Stripe",
        ("sk_", "rk_", "pk_", "whsec_"),
        r"\b(?:sk|rk|pk|whsec)_(?:(?:live|test|prod)_)?[A-Za-z0-9]{16,}",
    ),
    SecretShape(
        "Groq, xAI, Perplexity, Tavily",
        ("gsk_", "xai-", "pplx-", "tvly-"),
        r"\b(?:gsk_|xai-|pplx-|tvly-)[\w-]{16,}",
    ),
    SecretShape(
        "NVIDIA, Replicate, Fireworks, Together",
        ("nvapi-", "r8_", "fw_", "tgp_v1_"),
        r"\b(?:nvapi-|r8_|fw_|tgp_v1_)[\w-]{16,}",
    ),
    SecretShape("Hugging Face", ("hf_", "api_org_"), r"\b(?:hf_|api_org_)[\w-]{12,}"),
    SecretShape("LangSmith, Pinecone", ("lsv2_", "pcsk_"), r"\b(?:lsv2_(?:pt|sk)_|pcsk_)\w{16,}"),
    SecretShape("Google API key", ("AIza",), r"\bAIza[\w-]{12,}"),
    SecretShape(
        "Google OAuth",
        ("ya29.", "GOCSPX-", "1//0"),
        r"\bya29\.[\w-]{16,}|\bGOCSPX-[\w-]{20,}|\b1//0[\w-]{30,}",
    ),
    SecretShape(
        "AWS access key id",
        ("A3T", "AKIA", "ASIA", "ABIA", "ACCA"),
        r"\b(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}\b",
    ),
    SecretShape("AWS Bedrock", ("ABSK",), r"\bABSK[A-Za-z0-9+/]{40,}={0,2}"),
    SecretShape("Azure storage", ("AccountKey=",), r"(?<=AccountKey=)[A-Za-z0-9+/]{40,}={0,2}"),
    SecretShape("Azure client secret", ("Q~",), r"(?<![\w~.-])[\w~.]{3}\dQ~[\w~.-]{31,}"),
    SecretShape("Azure shared access", ("sig=",), r"(?<=[?&]sig=)[A-Za-z0-9%+/=]{20,}"),
    SecretShape(
        "GitHub",
        ("gh", "github_pat_"),
        r"\b(?:gh[pousr]_[\w-]{12,}|github_pat_\w{12,})",
    ),
    SecretShape("GitLab", ("gl",), r"\bgl(?:pat|ptt|dt|rt|cbt|soat|ft|imt|agent|oas)-[\w-]{12,}"),
    SecretShape("Slack", ("xox", "xapp-"), r"\b(?:xox[a-z]|xapp)-[A-Za-z0-9-]{10,}"),
    SecretShape(
        "Webhooks of Slack, Discord and Teams",
        ("hooks.slack.com/", "/api/webhooks/", "webhook.office.com/"),
        r"(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/[\w/+-]{20,}"
        r"|(?<=/api/webhooks/)\d+/[\w-]{20,}|(?<=webhook\.office\.com/)[\w@/.-]{20,}",
    ),
    SecretShape("Telegram", (":AA",), r"\b\d{8,10}:AA[\w-]{30,}"),
    SecretShape("SendGrid", ("SG.",), r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    SecretShape(
        "Mailgun, Twilio",
        ("key-", "SK", "AC"),
        r"\bkey-[0-9a-f]{32}\b|\b(?:SK|AC)[0-9a-f]{32}\b",
    ),
    SecretShape(
        "npm, PyPI, RubyGems, Docker",
        ("npm_", "pypi-AgE", "rubygems_", "dckr_"),
        r"\bnpm_[A-Za-z0-9]{30,}|\bpypi-AgE[\w-]{16,}|\brubygems_[0-9a-f]{40,}"
        r"|\bdckr_(?:pat|oat)_[\w-]{20,}",
    ),
    SecretShape(
        "DigitalOcean, Databricks, Heroku",
        ("_v1_", "dapi", "HRKU-"),
        r"\bdo[opr]_v1_[0-9a-f]{40,}|\bdapi[0-9a-f]{32}(?:-\d)?\b|\bHRKU-[\w-]{30,}",
    ),
    SecretShape(
        "Shopify, Square",
        ("shp", "sq0", "EAAA"),
        r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|\b(?:sq0[a-z]{3}-|EAAA)[\w-]{22,}",
    ),
    SecretShape(
        "Notion, Linear, Airtable, Figma",
        ("ntn_", "secret_", "lin_api_", "pat", "figd_"),
        r"\bntn_\w{20,}|\bsecret_[A-Za-z0-9]{40,}|\blin_api_\w{20,}"
        r"|\bpat[A-Za-z0-9]{14}\.[0-9a-f]{40,}|\bfigd_[\w-]{20,}",
    ),
    SecretShape(
        "Grafana, Sentry, New Relic",
        ("glsa_", "glc_", "sntry", "NRAK-"),
        r"\bgl(?:sa|c)_[\w+/=]{30,}|\bsntry[su]_[\w+/=-]{30,}|\bNRAK-[A-Z0-9]{20,}",
    ),
    SecretShape(
        "Vault, Terraform, Doppler, Pulumi",
        ("hvs.", "hvb.", ".atlasv1.", "dp.", "pul-"),
        r"\bhv[sb]\.[\w-]{20,}|\b[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{40,}"
        r"|\bdp\.(?:pt|st|ct)\.[\w.-]{30,}|\bpul-[0-9a-f]{40}\b",
    ),
    SecretShape(
        "Postman, Supabase, Atlassian",
        ("PMAK-", "sbp_", "ATATT3"),
        r"\bPMAK-[0-9a-f-]{40,}|\bsbp_[0-9a-f]{40}\b|\bATATT3[\w=-]{40,}",
    ),
    SecretShape(
        "1Password, age",
        ("ops_eyJ", "AGE-SECRET-KEY-1"),
        r"\bops_eyJ[\w+/=-]{40,}|\bAGE-SECRET-KEY-1[A-Z0-9]{50,}",
    ),
    # RFC 7519: a JSON Web Token begins with the base64 of '{"'. Its header is short, and a text
    # could have one beginning in the other.
    SecretShape("JSON Web Token", ("eyJ",), r"\beyJ[\w-]{8,500}\.[\w-]{8,}\.[\w-]*"),
    # RFC 6750 and RFC 7617: credentials in an Authorization header, named in any case.
    SecretShape(
        "Authorization header",
        ("earer", "EARER", "asic", "ASIC"),
        r"\bBearer\s+[\w.~+/=-]{8,}|(?i:\bbearer\s+)(?=\S*\d)[\w.~+/=-]{8,}"
        r"|(?i:\bBasic\s+)(?=\S*[\d=+/])[A-Za-z0-9+/]{12,}={0,2}",
    ),
    # RFC 3986, section 3.2.1: a user and a password before a host, or a token in place of a user.
    SecretShape(
        "Password in an address",
        ("://",),
        r"(?<=://)[^\s/:@\"']*:[^\s/@\"']+(?=@)|(?<=://)(?=\w{0,64}\d)[\w-]{16,}(?=@)",
    ),
    # RFC 7468: textual encodings of keys; a key that is cut off is redacted to the text's end.
    SecretShape(
        "Private key",
        ("PRIVATE KEY",),
        r"(?s:-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END[^\n]*|\Z))",
    ),
    SecretShape(
        "Pydantic", ("SecretStr(", "SecretBytes("), r"\bSecret(?:Str|Bytes)\(\s*b?[\"'][^\"'\n]+"
    ),
)

_SECRET_NAME = (
    r"[_-]key$|api_?key|access_?key|private_?key|token$|secret|passw|passphrase|credential"
    r"|auth(?!or(?!i[sz]))|bearer|cookie"
    r"|(?:^|[_-])(?:dsn|jwt|otp|pat|pin|pw|pwd|sid|sig|signature)(?:$|[_-])"
)
# Parameters of a call that hold secrets by names of their own.
_CALL_OPTIONS = frozenset({"extra_body", "extra_headers", "extra_query"})
# PWD is the shell's folder, and no password.
_NAMES_OF_PLACES = re.compile(r"(?:FILE|PATH|DIR|SOCK|URL|HOST)$|^(?:OLD)?PWD$", re.IGNORECASE)
# The organisation and the project that pay are not secret, but do not belong in a shared file.
_ACCOUNT_VARIABLES = ("OPENAI_ORG_ID", "OPENAI_ORGANIZATION", "OPENAI_PROJECT_ID")
_ACCOUNT_ATTRIBUTES = ("organization", "project")


def is_secret_name(name: str) -> bool:
    """Return whether a variable, argument or attribute of this name likely holds a secret."""
    return bool(_secret_name().search(name))


def secrets_in(*values: object) -> set[str]:
    """Collect the secrets within data: by their type, their names, and as parts of addresses."""
    found = (text for value in values for text in _secrets_within(value, named=False, depth=0))
    forms = (form for text in found for form in _written_forms(text))
    return {SecretText(form) for form in forms if len(form) >= MIN_SECRET_LENGTH}


def environment_secrets() -> set[str]:
    """Collect the secrets of the environment: by their names, and OpenAI's account ids."""
    return _environment_secrets(tuple(os.environ.items()))


def model_secrets(model: object, *options: object) -> set[str]:
    """Collect the secrets of a chat model, of options of a call, and of the environment."""
    own = cast("dict[str, Any]", getattr(model, "__dict__", {}))
    accounts = [SecretText(own.get(name) or "") for name in _ACCOUNT_ATTRIBUTES]
    return secrets_in(own, accounts, *options) | environment_secrets()


def environment_secret(variable: str) -> SecretText | None:
    """Return the secret in an environment variable, or None."""
    found = os.environ.get(variable, "")
    return None if not found or found.startswith(PLACEHOLDER_KEY) else SecretText(found)


def hide(data: T) -> T:
    """Return data whose secrets do not show in the repr."""
    return _hidden(data, named=False, depth=0)


def hide_in_options(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters of a call; secrets in its SDK options do not show in the repr."""
    return params if _CALL_OPTIONS.isdisjoint(params) else {**params, **hide(call_options(params))}


def call_options(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the SDK options among the parameters of a call, which may hold secrets."""
    return {name: params[name] for name in _CALL_OPTIONS.intersection(params)}


def _hidden(value: Any, *, named: bool, depth: int) -> Any:
    if isinstance(value, str):
        return SecretText(value) if named or any(_secrets_of_address(value)) else value
    if isinstance(value, Mapping) and depth < _MAX_DEPTH:
        pairs = cast("Mapping[Any, Any]", value).items()
        return {
            name: _hidden(item, named=named or is_secret_name(str(name)), depth=depth + 1)
            for name, item in pairs
        }
    given: Any = cast("object", value)
    if type(given) in (list, tuple) and depth < _MAX_DEPTH:
        items = [_hidden(item, named=named, depth=depth + 1) for item in given]
        return items if isinstance(given, list) else tuple(items)
    return given


def _secrets_within(value: Any, *, named: bool, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, str):
        yield from _secrets_of_address(value)
        if named or isinstance(value, SecretText):
            yield str(value)
    elif isinstance(value, bytes):
        yield from _secrets_within(value.decode("utf-8", "replace"), named=named, depth=depth)
    elif hasattr(cast("type[object]", type(value)), "get_secret_value"):
        yield from _secrets_within(value.get_secret_value(), named=True, depth=depth + 1)
    elif isinstance(value, Mapping):
        # What has a type is a JSON schema or an object with fields of its own.
        named = named and "type" not in value
        for name, item in list(cast("Mapping[Any, Any]", value).items()):
            is_named = named or is_secret_name(str(name))
            yield from _secrets_within(item, named=is_named, depth=depth + 1)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in list(cast("Iterable[Any]", value)):
            yield from _secrets_within(item, named=named, depth=depth + 1)


def _secrets_of_address(address: str) -> Iterator[str]:
    if "://" not in address:
        return
    try:
        parts = urlsplit(address)
    except ValueError:
        return
    user, at, _ = parts.netloc.rpartition("@")
    if at:
        yield user.partition(":")[2]
    elif "@" in address and not re.fullmatch(r"[^:]*(:\d*)?|\[.*", parts.netloc):
        # A password with an unescaped "/", "?" or "#", which readers take for a port.
        password = address.partition("://")[2].rpartition("@")[0].partition(":")[2]
        yield from (password, *re.split("[/?#]", password))
    for name, value in parse_qsl(parts.query):
        if name == "key" or is_secret_name(name):
            yield value


def _written_forms(secret: str) -> set[str]:
    """Return a secret as it is, and as addresses, JSON and reprs write it."""
    bare = secret.strip()
    _, _, credentials = bare.partition(" ")  # After "Bearer".
    plain = {secret, bare, unquote(bare), credentials.strip()}
    written = {form for text in plain for form in (quote(text, safe=""), json.dumps(text)[1:-1])}
    return plain | written | {repr(text)[1:-1] for text in plain}


def redact(text: str, secrets: Iterable[str] = (), *, by_name: bool = True) -> str:
    """Replace secrets in a text by `***`."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= MIN_SECRET_LENGTH:
            text = text.replace(secret, REDACTED)
    for hints, pattern in _compiled_shapes():
        if any(hint in text for hint in hints):
            text = pattern.sub(REDACTED, text)
    if by_name:
        text = _assignment().sub(_redact_assignment, text)
        text = _bare_assignment().sub(_redact_bare_assignment, text)
    return text


def redact_value(value: Any, secrets: Iterable[str] = (), *, by_name: bool = True) -> Any:
    """Replace secrets in plain data by `***`."""
    return _redacted(value, frozenset(secrets), by_name=by_name, named=False)


def _redacted(value: Any, secrets: frozenset[str], *, by_name: bool, named: bool) -> Any:
    if isinstance(value, str):
        return value and REDACTED if named else redact(value, secrets, by_name=by_name)
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value).items()
        return {
            _redacted(name, secrets, by_name=by_name, named=False): _redacted(
                item, secrets, by_name=by_name, named=by_name and is_secret_name(str(name))
            )
            for name, item in pairs
        }
    if isinstance(value, list | tuple):
        items = cast("list[Any]", value)
        return [_redacted(item, secrets, by_name=by_name, named=named) for item in items]
    return value


def redact_json(text: str, secrets: Iterable[str] = ()) -> str:
    """Replace secrets in a JSON document by `***`; it stays a document of the same shape."""
    known = frozenset(secrets)
    # Most documents hold no secret, and finding that out takes no parser.
    if redact(text, known, by_name=False) == text:
        return text
    clean = redact_value(json.loads(text), known, by_name=False)
    return json.dumps(clean)


def redact_errors(secrets: Iterable[str], *errors: BaseException) -> None:
    """Replace secrets in exceptions by `***`, in place; some servers echo a rejected key."""
    known = frozenset(secrets)
    for error in errors:
        error.args = tuple(_redact_field(argument, known) for argument in error.args)
        for name, value in list(vars(error).items()):
            clean = _redact_field(value, known)
            if clean != value:
                setattr(error, name, clean)


def _redact_field(value: Any, secrets: Iterable[str]) -> Any:
    if isinstance(value, bytes):
        text = value.decode("utf-8", "surrogateescape")
        return redact(text, secrets).encode("utf-8", "surrogateescape")
    return (
        redact_value(value, secrets) if isinstance(value, str | Mapping | list | tuple) else value
    )


def _redact_assignment(match: re.Match[str]) -> str:
    if not is_secret_name(match["name"]):
        return match[0]
    return f"{match['name']}{match['between']}{REDACTED}"


def _redact_bare_assignment(match: re.Match[str]) -> str:
    # Without quotation marks the value may as well be a name in a program, or a word.
    return _redact_assignment(match) if _random_text().search(match["value"]) else match[0]


@lru_cache(maxsize=1)
def _environment_secrets(variables: tuple[tuple[str, str], ...]) -> set[str]:
    named = {name: value for name, value in variables if not _NAMES_OF_PLACES.search(name)}
    accounts = [SecretText(value) for name, value in variables if name in _ACCOUNT_VARIABLES]
    return secrets_in(named, accounts, [value for _, value in variables])


# Compiled when first used: compiling takes longer than importing all of this module.
@cache
def _compiled_shapes() -> list[tuple[tuple[str, ...], re.Pattern[str]]]:
    return [(shape.hints, re.compile(shape.pattern)) for shape in SECRET_SHAPES]


@cache
def _secret_name() -> re.Pattern[str]:
    return re.compile(_SECRET_NAME, re.IGNORECASE)


@cache
def _assignment() -> re.Pattern[str]:
    # A name is tried from its beginning only, so that the work grows with the length only.
    annotation, quote = r"(?::\s*+[\w.\[\]|]++\s*+)?", r"""(?:["']{3}|["'](?!["']))"""
    between = rf"""["']?\s*+(?:[\])]\s*+)?{annotation}:?[=:]\s*+[rbf]?{quote}"""
    return re.compile(
        rf"""(?<![\w-])(?P<name>[\w-]++)(?P<between>{between})(?P<value>[^"'\n]{{4,}})"""
    )


@cache
def _bare_assignment() -> re.Pattern[str]:
    # Of environments, HTTP headers, queries and the addresses of databases.
    return re.compile(
        r"""(?<![\w-])(?P<name>[\w-]++)(?P<between>["']?\s*+[=:]\s*+(?:(?:Token|Key)\s++)?)"""
        r"""(?P<value>[\w+/.~=-]{12,}+)"""
    )


@cache
def _random_text() -> re.Pattern[str]:
    # Letters and digits by turns, as in neither words nor most names.
    return re.compile(r"[A-Za-z]\d+[A-Za-z]+\d")
