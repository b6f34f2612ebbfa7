"""A sealer that kills or stops itself at one step.

`python -m tests.campaigns.defects.crashing_sealer STEP [ACT]`

`ACT` is `kill` (SIGKILL, the default) or `stop` (SIGSTOP: it goes on when somebody sends SIGCONT). It acts once, when
the small network's log is sealed; until then, and after it went on, it is the real sealer.
"""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from consent_registry.cli.seal import seal
from consent_registry.operations.log import checkpoints
from consent_registry.storage.files.signed_heads import SignedHeads
from tests.support.small_network import NUMBER, SLUG

Step = Callable[..., Awaitable[Any]]


def _act() -> None:
    os.kill(os.getpid(), signal.SIGSTOP if sys.argv[2:] == ["stop"] else signal.SIGKILL)


def _before(name: str) -> None:
    real: Step = getattr(checkpoints, name)

    async def dying(connection: object, about: Any, *rest: object) -> object:  # noqa: ANN401
        if _is_small(about):
            vars(checkpoints)[name] = real
            _act()
        return await real(connection, about, *rest)

    vars(checkpoints)[name] = dying


def _after(name: str) -> None:
    real: Step = getattr(checkpoints, name)

    async def dying(connection: object, about: Any, *rest: object) -> object:  # noqa: ANN401
        result = await real(connection, about, *rest)
        if _is_small(about):
            vars(checkpoints)[name] = real
            _act()
        return result

    vars(checkpoints)[name] = dying


def _is_small(about: Any) -> bool:  # noqa: ANN401 - a log or its network's number
    return about == NUMBER or getattr(about, "slug", None) == SLUG


def _around_signature(*, before: bool) -> None:
    real = checkpoints.sign

    def dying(keys: Any, log: Any, head: Any) -> bytes:  # noqa: ANN401
        if log.slug != SLUG:
            return real(keys, log, head)
        vars(checkpoints)["sign"] = real
        if before:
            _act()
        note = real(keys, log, head)
        if not before:
            _act()
        return note

    vars(checkpoints)["sign"] = dying


def _in_memory(*, written: bool) -> None:
    real = SignedHeads.advance

    def dying(self: SignedHeads, slug: str, *rest: Any) -> None:  # noqa: ANN401
        if slug == SLUG:
            if written:  # half a draft is on the disk
                Path(self._folder, f"{SLUG}.draft-{os.getpid()}").write_bytes(b"half a head")
            setattr(SignedHeads, "advance", real)  # noqa: B010 - a method is replaced
            _act()
        real(self, slug, *rest)

    setattr(SignedHeads, "advance", dying)  # noqa: B010 - as above


STEPS: dict[str, Callable[[], None]] = {
    "before tiles": lambda: _before("add_tiles"),
    "tiles written, not committed": lambda: _after("add_tiles"),
    "tiles committed": lambda: _in_memory(written=False),
    "half a head on disk": lambda: _in_memory(written=True),
    "head on disk, not signed": lambda: _around_signature(before=True),
    "signed": lambda: _around_signature(before=False),
    "cosigned": lambda: _before("add_checkpoint"),
    "published, not committed": lambda: _after("add_checkpoint"),
    "published": lambda: _after("publish"),
}


def main() -> None:
    """Switch the step on and run the real sealer."""
    STEPS[sys.argv[1]]()
    seal()


if __name__ == "__main__":
    main()
