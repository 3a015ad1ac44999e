"""Runnables around others, and further methods of runnables, by the names of LangChain."""
