"""Rate limiters, by LangChain's path of today; `chatnb.RateLimiter` is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.chat_models.rate_limiter import RateLimiter
from chatnb.lazy_names import lazy_names

__all__ = ["InMemoryRateLimiter", "RateLimiter"]

if not TYPE_CHECKING:  # LangChain's other names: chatnb/upstream_names.toml.
    __getattr__, _ = lazy_names(__name__, {})


class InMemoryRateLimiter(RateLimiter):
    """A `RateLimiter` with LangChain's arguments.

    Args:
        requests_per_second: The average rate.
        check_every_n_seconds: Without effect: no limiter polls.
        max_bucket_size: The number of calls without a wait after a pause.

    Example:
        >>> limiter = InMemoryRateLimiter(requests_per_second=2, max_bucket_size=10)
        >>> limiter.reserve()
        0.0
    """

    def __init__(
        self,
        *,
        requests_per_second: float = 1,
        check_every_n_seconds: float = 0.1,
        max_bucket_size: float = 1,
    ) -> None:
        super().__init__(requests_per_second, burst=int(max_bucket_size))
