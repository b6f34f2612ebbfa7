"""A sealer that waits by the system clock, which can be set (the test of clock jumps must find it)."""

import time

from consent_registry.cli.seal import seal

if __name__ == "__main__":
    setattr(time, "monotonic", time.time)  # noqa: B010 - a clock is replaced
    seal()
