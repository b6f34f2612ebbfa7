"""The command line for operators and auditors, one verb per file."""
