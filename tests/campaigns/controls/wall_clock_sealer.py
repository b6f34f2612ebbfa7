"""A sealer that waits by the clock on the wall, which somebody may set: the defect that the test of clocks must see."""

import time

from consent_registry.cli.seal import seal

if __name__ == "__main__":
    setattr(time, "monotonic", time.time)  # noqa: B010 - a clock is replaced
    seal()
