"""The service `observer`: what it asks, how often, and what it serves."""
