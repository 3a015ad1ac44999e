"""Threads, event loops and what crosses between them; the waits and their cancellation."""
