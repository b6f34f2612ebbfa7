"""The classes of advisory locks, and the order in which they are taken (docs/design/locks.md).

Two-integer advisory locks: the first integer is class | network, the second the locked object, or 0. Lock order:
idempotency key, catalogue, attempts at codes, clients ascending, log. Functions in migrations/ use the same numbers;
a test compares them.
"""

LOCK_IDEMPOTENCY = 1 << 20
LOCK_CATALOGUE = 2 << 20
LOCK_CLIENT = 3 << 20
LOCK_LOG = 4 << 20
# While partitions are made: taken in a transaction of its own, by the owner's functions alone.
LOCK_PARTITIONS = 5 << 20
# Only sealers take this lock, for a whole session: who holds it leads.
LOCK_SEALER = 6 << 20
# A partner's attempts at codes.
LOCK_ATTEMPTS = 7 << 20
