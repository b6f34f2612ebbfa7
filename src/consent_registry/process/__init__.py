"""The processes of an installation: the server, its log, what supervises it, and the embedded PostgreSQL."""
