"""Decisions and the transfers they permit."""
