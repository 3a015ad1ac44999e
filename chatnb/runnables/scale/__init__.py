"""Batches that are larger than the memory of one process, or than one process."""
