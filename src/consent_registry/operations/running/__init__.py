"""How every operation runs: who acts, the transaction with its one time, turns, response times, kept results."""
