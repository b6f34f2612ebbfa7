"""The transparency log: what is appended, signed, witnessed, read and exported."""
