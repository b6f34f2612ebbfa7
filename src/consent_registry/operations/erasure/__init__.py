"""Erasure, retention and legal holds."""
