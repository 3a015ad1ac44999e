"""The `%%chat` cell."""
