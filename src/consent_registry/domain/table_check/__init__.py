"""The rows that the log's events stand for, and how they differ from the tables."""
