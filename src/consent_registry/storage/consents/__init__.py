"""Consents, what changes them and what is drawn from them: their statements."""
