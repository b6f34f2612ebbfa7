"""How every operation runs: actor, transaction with one time, turns, response times, kept results."""
