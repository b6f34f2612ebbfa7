"""What helps with work on the registry, and is no part of it."""
