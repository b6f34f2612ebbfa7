"""What a process does without a request."""
