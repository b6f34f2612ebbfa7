"""Access tokens, credentials and quotas: who may call, and how much: their statements."""
