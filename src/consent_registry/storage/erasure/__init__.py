"""Erasure, retention and legal holds: their statements."""
