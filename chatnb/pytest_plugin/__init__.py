"""The pytest plugin that runs notebooks against their recorded replies."""
