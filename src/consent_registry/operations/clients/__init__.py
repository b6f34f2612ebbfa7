"""Registering clients, and linking and unlinking the references of partners."""
