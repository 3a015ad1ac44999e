"""Cassettes: recorded replies of models."""
