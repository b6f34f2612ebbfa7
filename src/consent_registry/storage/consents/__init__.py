"""Statements for consents, their grants, withdrawals and receipt codes."""
