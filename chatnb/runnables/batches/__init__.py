"""Batches: many inputs in one process, streamed, or on the workers of an executor."""
