"""The table of token usage and cost."""
