"""Keys: how they are read, followed, rotated, and where they are used: their statements."""
