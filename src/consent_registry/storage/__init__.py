"""Every SQL statement, one module per noun, and the files outside the database."""
