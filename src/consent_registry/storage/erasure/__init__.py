"""Statements for erasure, retention and legal holds."""
