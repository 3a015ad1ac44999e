"""Make a model's Markdown safe to display."""
