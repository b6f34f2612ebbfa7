"""What the mathematics refuses has one root, so that a door can say it in one place."""


class AuditRefusal(ValueError):
    """Bytes that are malformed or do not hold; the message is one line that tells what and why."""
