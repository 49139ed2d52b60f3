"""The stack under Docker Compose."""
