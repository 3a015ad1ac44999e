"""Notebooks as files: reading, naming, parameters, and outputs kept elsewhere."""
