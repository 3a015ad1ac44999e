"""Replace secrets in texts, data, JSON documents and errors by `***`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache, partial
from typing import Any, cast

from chatnb.redaction.secrets import MIN_SECRET_LENGTH, REDACTED, is_secret_name
from chatnb.redaction.shapes import SECRET_SHAPES

# Passwords and keys that people made or wrote down, which look less random than those of issuers.
_SIGNS, _DOTS = frozenset("!@#$%^*"), frozenset("./")
_NAMES_OF_NUMBERS = ("pass", "password", "passwd", "passcode", "pin", "otp", "pw", "pwd")
_SHORT_NAME, _SHORT_VALUE = 4, 5


def redact(text: str, secrets: Iterable[str] = (), *, by_name: bool = True) -> str:
    """Replace secrets in a text by `***`."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= MIN_SECRET_LENGTH:
            text = text.replace(secret, REDACTED)
    for hints, pattern in _compiled_shapes():
        for hint in hints:  # Most texts have none, and any() takes three times as long to say so.
            if hint in text:
                text = pattern.sub(REDACTED, text)
                break
    if by_name:
        found = set[str]()
        text = _assignment().sub(partial(_redact_assignment, found), text)
        text = _bare_assignment().sub(partial(_redact_bare_assignment, found), text)
        text = _password().sub(partial(_redact_password, found), text)
        for value in sorted(filter(_is_made_up, found), key=len, reverse=True):
            text = text.replace(value, REDACTED)  # It may stand elsewhere without its name.
    return text


def _is_made_up(value: str) -> bool:
    """Return whether a text is no word and no name: it has letters and digits."""
    is_mixed = any(map(str.isalpha, value)) and any(map(str.isdigit, value))
    is_name = "_" in value and value.isidentifier() and value.islower()
    return is_mixed and not is_name and len(value) >= MIN_SECRET_LENGTH


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


def _redact_assignment(found: set[str], match: re.Match[str]) -> str:
    if not is_secret_name(match["name"]):
        return match[0]
    found.add(match["value"])
    return f"{match['name']}{match['between']}{REDACTED}"


def _redact_bare_assignment(found: set[str], match: re.Match[str]) -> str:
    # Without quotation marks the value may as well be a name in a program, or a word.
    return _redact_assignment(found, match) if _random_text().search(match["value"]) else match[0]


def _redact_password(found: set[str], match: re.Match[str]) -> str:
    name, between, value = match["name"], match["between"], match["value"]
    is_told = bool(between.strip(" \"'\\"))  # And does not merely stand before the value.
    digits, signs = any(map(str.isdigit, value)), not _SIGNS.isdisjoint(value)
    if value.isdecimal():
        is_password = is_told and name.lower().endswith(_NAMES_OF_NUMBERS)
    elif is_told or (len(name) > _SHORT_NAME and len(value) > _SHORT_VALUE):
        is_name = not signs and not _DOTS.isdisjoint(value)  # A file's or, with dots, a program's.
        is_password = any(map(str.isalpha, value)) and (digits or signs) and not is_name
    else:
        is_password = False
    if not is_password:
        return match[0]
    found.add(value)
    return f"{name}{between}{REDACTED}"


# Compiled when first used: compiling takes longer than importing all of this module.
@cache
def _compiled_shapes() -> list[tuple[tuple[str, ...], re.Pattern[str]]]:
    return [(shape.hints, re.compile(shape.pattern)) for shape in SECRET_SHAPES]


@cache
def _assignment() -> re.Pattern[str]:
    # A name is tried from its beginning only, so that the work grows with the length only.
    annotation, quote = r"(?::\s*+[\w.\[\]|]++\s*+)?", r"""(?:["']{3}|["'](?!["']))"""
    between = rf"""["']?\s*+(?:[\])]\s*+)?{annotation}:?[=:]\s*+(?:\[\s*+)?[rbf]?{quote}"""
    return re.compile(
        rf"""(?<![\w-])(?P<name>[\w-]++)(?P<between>{between})(?P<value>[^"'\n]{{4,}})"""
    )


@cache
def _bare_assignment() -> re.Pattern[str]:
    # Of environments, HTTP headers, queries and the addresses of databases.
    return re.compile(
        r"""(?<![\w-])(?P<name>[\w-]++)(?P<between>["']?\s*+(?:[=:|]|[-=]>)\s*+(?:(?i:Token|Key)\s++)?)"""
        r"""(?P<value>[\w+/.~=-]{8,}+)"""
    )


@cache
def _random_text() -> re.Pattern[str]:
    # Letters and digits by turns, as in neither words nor most names.
    return re.compile(r"[A-Za-z]\d+[A-Za-z]+\d")


@cache
def _password() -> re.Pattern[str]:
    # "password is hunter2", "--api-key k1b2", "<password>hunter2</password>", ("pin", "4821").
    return re.compile(
        r"""(?i)(?P<name>(?:passw(?:or)?[dt]|contrase[ñn]a|mot de passe|senha|has[łl]o|wachtwoord"""
        r"""|l[öo]senord|пароль|密码|密碼|パスワード|비밀번호|passphrase|passcode|secret|credentials?|--token"""
        r"""|(?:api|access|account|encryption|licen[cs]e|private|secret|signing)[ _-]?key"""
        r"""|(?<![A-Z0-9])(?:pass|pin|otp|pwd?)))(?![\w-])"""
        r"""(?P<between>\\?["']?\s*+(?:(?:=>|:=|[=:>,\uff1a])\s*+|(?:is|was):?\s++)?\\?["']?"""
        r"""(?:[>|][+-]?\s*+)?)"""
        r"""(?P<value>[^\s"'<>,;&()\[\]{}\\]{4,}+)(?![(\[])"""
    )
