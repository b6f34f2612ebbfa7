"""The command line, killed after the ledger has the intent of an erasure and before the erasure is committed."""

import os
import signal

from consent_registry.__main__ import main
from consent_registry.storage.files.erasure_ledger import ErasureLedger

_intend = ErasureLedger.intend


def _intend_and_die(
    self: ErasureLedger, erasure_id: str, at: str, network: str, client_ids: tuple[str, ...], ground: str
) -> None:
    _intend(self, erasure_id, at, network, client_ids, ground)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    ErasureLedger.intend = _intend_and_die  # type: ignore[method-assign]
    main()
