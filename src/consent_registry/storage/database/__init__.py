"""Connections, transactions, roles, migrations, and checks of the database."""
