"""The dashboards as code: `python -m grafana` writes dashboards/*.json, which is what a stack carries."""
