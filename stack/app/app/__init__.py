"""The reference application: a small JSON API over PostgreSQL."""
