"""The transparency log's formats and proofs: leaves, trees, tiles, signed notes, receipts, and how to verify them.

Pure functions over bytes. They need no other package of the registry, so an auditor can vendor this folder.
"""
