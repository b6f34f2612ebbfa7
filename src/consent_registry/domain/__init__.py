"""The rules of the registry as values and pure functions: no I/O, no clock, no framework."""
