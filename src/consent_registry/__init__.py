"""The consent registry: it records what each client has agreed to, and proves every answer with a log."""

__version__ = "0.1.0"
"""The release, which the package's metadata, the OpenAPI document, `--version` and the server's log read from here."""
