"""Events: what the log says happened. Each kind is one struct, and `registry.py` has them all."""
