"""The operators' and auditors' door: one verb per file."""
