"""The base class of all errors in this folder, so that callers can catch them in one place."""


class TlogRefused(ValueError):
    """Bytes are malformed, or a signature or proof is wrong; the message is one line with the reason."""
