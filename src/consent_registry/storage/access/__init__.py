"""Statements for partner systems' credentials."""
