"""Masks: the parts of outputs that differ from replay to replay, learned when they are recorded."""
