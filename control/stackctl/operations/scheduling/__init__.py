"""The service `scheduler`: what it decides, what it remembers, and its loop."""
