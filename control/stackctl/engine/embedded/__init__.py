"""The stack as supervised processes, without containers."""
