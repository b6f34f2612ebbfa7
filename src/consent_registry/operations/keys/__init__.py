"""Keys: reading and following the key files, rotation, and the stored values that need a key."""
