"""The tree of a run log."""
