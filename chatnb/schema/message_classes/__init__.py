"""The making of message classes: their decorator, and the methods of Pydantic models."""
