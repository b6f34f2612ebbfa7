"""The embedded PostgreSQL of the demonstration: its cluster, its processes, and the account they run under."""
