"""Keys and passwords blotted out of what a model is shown of a notebook."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

_SHORTEST_SECRET = 8
_SECRET_NAME = re.compile(
    r"[_-]key$|apikey|token$|secret|passw|passphrase|credential|auth(?!or)|bearer|cookie",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(
    r"""(?P<name>[A-Za-z_][\w\-]*) (?P<between>["']?\s*[\])]?\s*[=:]\s*[rbf]?["'])
        (?P<value>[^"'\n]{4,})""",
    re.VERBOSE,
)
_LOOKS_LIKE_A_KEY = re.compile(
    r"""
    \b(?: sk | pk | rk | gsk | xox[a-z] | gh[pousr] | github_pat | glpat | hf | AIza | AKIA | ya29 )
        [-_A-Za-z0-9.]{12,}
    | \bSecret(?:Str|Bytes)\(\s*b?["'][^"'\n]+
    | \beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*
    | (?<=://)[^\s/:@"']+:[^\s/@"']+(?=@)
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----.*?(?:-----END[^\n]*|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
BLOTTED = "***"


def is_secret_name(name: str) -> bool:
    """Whether what goes by a name is likely a secret.

    Example:
        >>> is_secret_name("API_KEY"), is_secret_name("key"), is_secret_name("author")
        (True, False, False)
    """
    return bool(_SECRET_NAME.search(name))


def secrets_in(*named: Mapping[str, object]) -> set[str]:
    """The texts that are held under the names of secrets.

    Args:
        named: Values by name, such as environment variables or a notebook's variables.

    Example:
        >>> secrets_in({"password": "correct horse", "rows": "seven rows"})
        {'correct horse'}
    """
    found = set[str]()
    for values in named:
        for name, value in list(values.items()):
            if isinstance(value, str) and len(value) >= _SHORTEST_SECRET and is_secret_name(name):
                found.add(value)
    return found


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """Blot keys and passwords out of a text.

    Args:
        text: Code, a traceback, or the like.
        secrets: Texts that must not stay; those in the environment never do.

    Returns:
        The text with `***` for what is a secret by its value, its name or its looks.

    Example:
        >>> without_secrets('client = Client(api_key="abcd1234", user="ada")')
        'client = Client(api_key="***", user="ada")'
    """
    for secret in sorted({*secrets, *secrets_in(os.environ)}, key=len, reverse=True):
        text = text.replace(secret, BLOTTED)
    text = _LOOKS_LIKE_A_KEY.sub(BLOTTED, text)
    return _ASSIGNED.sub(_blotted, text)


def _blotted(match: re.Match[str]) -> str:
    if not is_secret_name(match["name"]):
        return match[0]
    return f"{match['name']}{match['between']}{BLOTTED}"
