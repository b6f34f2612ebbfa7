"""Connections, roles, migrations and what a database must be like."""
