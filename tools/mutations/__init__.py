"""Mutation testing: makes small mistakes in the code, one at a time, and checks that a test finds each."""
