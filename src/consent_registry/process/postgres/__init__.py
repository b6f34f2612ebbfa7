"""The embedded PostgreSQL: its cluster, its processes and the account they run under."""
