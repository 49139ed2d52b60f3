"""Settings: what the user gave in flags, environment, `.env` and stackctl.yaml, checked, with provenance."""
