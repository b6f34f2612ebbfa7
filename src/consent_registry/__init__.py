"""The consent registry: what each client has agreed to, at this moment, with a log that proves every answer."""
