"""Data outside the database: key files, erasure ledger, signed heads, witness state and static logs."""
