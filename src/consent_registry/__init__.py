"""The consent registry: what each client has agreed to, at this moment, with a log that proves every answer."""

__version__ = "0.1.0"
"""The release, written down here and nowhere else: the package's metadata, the interface's description, `--version` and
the server's first line read it.
"""
