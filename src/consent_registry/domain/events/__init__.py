"""Events: the facts that the log records, one struct for each kind. Each kind is one struct, and `all_kinds.py` has
them all.
"""
