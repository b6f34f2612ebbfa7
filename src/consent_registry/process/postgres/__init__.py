"""The demonstration's own PostgreSQL: making and starting a cluster, its processes, and the account they run under."""
