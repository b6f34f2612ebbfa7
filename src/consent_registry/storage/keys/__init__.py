"""Keys: the key ring, re-encryption, and the statements that count where keys are used."""
