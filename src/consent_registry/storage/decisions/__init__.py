"""Decisions and the transfers they permit: their statements."""
