"""Alerts: who is told of them, which fire now, and whether a receiver is reached."""
