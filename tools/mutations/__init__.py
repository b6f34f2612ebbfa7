"""Small mistakes in the code, one at a time, and whether a test finds each: `python -m tools.mutations`."""
