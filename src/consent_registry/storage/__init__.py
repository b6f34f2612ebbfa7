"""Every SQL statement, one module per noun, and the embedded PostgreSQL."""
