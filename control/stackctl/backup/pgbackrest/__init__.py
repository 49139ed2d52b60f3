"""Backups by pgBackRest: in the database's image, to a folder or an object store."""
