"""The batch APIs of providers: jobs that are answered within a day, at half price."""

PRICE = 0.5
"""The price of a batch API, as a part of that of single calls."""
PROVIDERS = frozenset({"anthropic", "openai"})
"""The providers whose batch API `chat.submit` uses."""
