"""Events: what the log says happened. Each kind is one struct, and `all_kinds.py` has them all."""
