"""Stands in for a package of that name, which jsonschema imports where it can."""

# Its import takes seconds for a grammar that no test needs, in every process that reads notebooks.
raise ImportError("not in tests")
