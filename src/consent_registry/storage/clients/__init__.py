"""Statements for clients, partners' references to them, and links between references."""
