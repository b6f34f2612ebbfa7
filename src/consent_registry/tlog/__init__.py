"""The log's mathematics. A stranger could vendor it."""
