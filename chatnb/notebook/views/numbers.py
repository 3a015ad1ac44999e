"""Numbers as every view writes them, the browser's included."""

from __future__ import annotations

from collections.abc import Iterable

_MINUTE = 60.0


def duration(seconds: float) -> str:
    """A time.

    Args:
        seconds: How long it took.

    Example:
        >>> [duration(seconds) for seconds in (0.0004, 0.004, 1.24, 12.4, 125)]
        ['< 1 ms', '4 ms', '1.24 s', '12.4 s', '2 min 05 s']
    """
    if seconds < 0.001:
        return "< 1 ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < _MINUTE - 0.05:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def price_digits(prices: Iterable[float | None]) -> int:
    """How many digits behind the point some prices need, so that they can be compared at a glance.

    Args:
        prices: US dollars; None where a price is not known.

    Returns:
        4, or 6 where one of them would be lost in 4.

    Example:
        >>> price_digits([0.0123, None]), price_digits([0.0123, 0.000_02])
        (4, 6)
    """
    return 6 if any(price and price < 0.001 for price in prices) else 4


def price(dollars: float, digits: int) -> str:
    """A price in US dollars.

    Args:
        dollars: The price.
        digits: How many digits stand behind the point, as `price_digits` says.

    Example:
        >>> price(0.0123, 4), price(0.000_000_1, 6), price(0.0, 4)
        ('$0.0123', '< $0.000001', '$0.0000')
    """
    least = 10.0**-digits
    return f"< ${least:.{digits}f}" if 0 < dollars < least / 2 else f"${dollars:.{digits}f}"
