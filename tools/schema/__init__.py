"""The schema as one text, read from PostgreSQL's catalogue: `python -m tools.schema` writes migrations/schema.sql."""
