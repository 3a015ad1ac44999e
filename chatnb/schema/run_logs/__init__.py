"""Run logs: the patches of a run, the state that they add up to, and its tree."""
