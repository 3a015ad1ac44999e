"""Markdown that can be shown anywhere without acting."""
