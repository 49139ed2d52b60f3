"""Restore in place: plan, candidate, switch; undo and accept."""
