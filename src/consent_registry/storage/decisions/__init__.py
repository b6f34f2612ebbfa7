"""Statements for decisions and for the transfers that follow them."""
