"""Run a tuned, watched PostgreSQL under a Python web app on one machine."""

__version__ = "0.1.0"
