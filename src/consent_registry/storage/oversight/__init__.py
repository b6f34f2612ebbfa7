"""Statements for findings, the data-protection officer's search, and the table check."""
