"""Statements for the transparency log: appending, reading, tiles and checkpoints."""
