"""Clients, the references that mean them, and what links references."""
