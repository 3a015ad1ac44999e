"""Where a link in Markdown may lead, judged in whatever disguise its address comes."""

from __future__ import annotations

import html
import re
from urllib.parse import unquote

_ADDRESS = re.compile(
    r"<(?:https?://[^\s<>\"'`\\$]{1,2000}|[\w.+-]{1,64}@[\w.-]{1,99})>", re.IGNORECASE
)
# Where a renderer takes the address for a tag, a part of its path is an attribute.
_ADDRESS_WITH_ATTRIBUTE = re.compile(r"/[\w-]+=|@@")
_MOST_OF_AN_ADDRESS = 100
_DESTINATION = re.compile(
    rf"\s*(?:<([^<>\n]{{0,{_MOST_OF_AN_ADDRESS}}})|([^\s)]{{0,{_MOST_OF_AN_ADDRESS}}}))"
)
# What JupyterLab puts formulas back in for.
_MARKER = re.compile(r"@\\*@")
_PLAIN_BEGINNING = re.compile(r"(?:https?|mailto):|[^&%\\:]*[/?#]", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_SAFE_SCHEMES = frozenset(["http", "https", "mailto"])
_IGNORED_IN_URLS = re.compile(r"[\x00-\x20\x7f-\xa0\\<\u200b-\u200f\u2028-\u202f\u2060\ufeff]+")


def is_safe_destination(text: str, place: int) -> bool:
    """Whether the destination of a link leads to the web, a mail address or a relative place.

    Args:
        text: Markdown.
        place: Where the destination begins: behind `](` or `]:`.

    Example:
        >>> is_safe_destination("[a](https://x.test)", 4)
        True
        >>> is_safe_destination("[a](java&Tab;script&colon;x)", 4)
        False
    """
    found = _DESTINATION.match(text, place)
    address = (found[1] or found[2] or "") if found else ""
    if len(address) == _MOST_OF_AN_ADDRESS and not _PLAIN_BEGINNING.match(address):
        return False
    if _MARKER.search(address):
        return False
    for _ in range(3):
        address = _IGNORED_IN_URLS.sub("", address)
        scheme = _SCHEME.match(address)
        if scheme and scheme[1].lower() not in _SAFE_SCHEMES:
            return False
        if "&" not in address and "%" not in address:
            break
        address = unquote(html.unescape(address))
    return True


def is_plain_autolink(text: str, place: int) -> bool:
    """Whether `<https://...>` or `<name@host>` stands at a place, and would be no tag's attribute.

    Example:
        >>> is_plain_autolink("<https://x.test/a?b=c>", 0)
        True
    """
    found = _ADDRESS.match(text, place)
    return found is not None and not _ADDRESS_WITH_ATTRIBUTE.search(found[0])
