"""The background tasks of a server process: housekeeping, warnings and readiness."""
