"""Tables and lists that cells show."""
