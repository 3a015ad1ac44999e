"""JSON, error responses and endings of replies, for the wire formats of all providers."""
