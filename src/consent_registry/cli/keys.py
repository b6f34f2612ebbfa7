"""`consent-registry keys`: make the key files that are missing, and say which keys there are."""

from datetime import UTC, datetime
from pathlib import Path

from consent_registry.storage.key_files import FILES, make_keys
from consent_registry.storage.keys import load_keys


def keys(folder: Path, *, make: bool = False) -> None:
    """Check the key files in a folder and name their keys; never a secret.

    Parameters
    ----------
    folder
        Where the key files are, or are to be: CONSENT_REGISTRY_KEYS of `serve`.
    make
        Make those that are missing. Keep a copy apart from the database's: without its keys it cannot be read.
    """
    if make:
        make_keys(folder, datetime.now(UTC))
    loaded = load_keys(folder)
    for name in FILES:
        print(f"{name:8} {', '.join(loaded.ids(name))}")
