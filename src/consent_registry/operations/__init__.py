"""The operations: each public function runs one transaction with its log events."""
