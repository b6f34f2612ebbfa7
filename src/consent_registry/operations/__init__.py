"""What happens: one public function is one transaction with its log events."""
