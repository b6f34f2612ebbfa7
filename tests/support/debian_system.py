"""A Debian of its own on this machine: its files are this machine's with everything written to memory, its process 1 is
systemd, its network is a loopback that nobody else sees. What is installed in it is gone when it ends.
"""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

BOOT_S = 120.0
# Services of the machine that have no business in there.
MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "cron.service",
    "e2scrub_reap.service",
    "getty.target",
    "nginx.service",
    "systemd-logind.service",
    "systemd-timesyncd.service",
)
BOOT = """
set -o pipefail
mount -t tmpfs -o mode=755 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do touch dev/$name; mount --bind /dev/$name dev/$name; done
mkdir dev/shm dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
touch dev/console
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for unit in $2; do ln -sf /dev/null etc/systemd/system/$unit; done
rm -rf etc/postgresql/15/main var/lib/postgresql/15/main
mkdir -p usr/local/src/consent-registry var/wheels
git -C "$3" ls-files -z | tar --create --directory="$3" --null --files-from=- | tar --extract --no-same-owner \
    --directory=usr/local/src/consent-registry
cp "$4"/* var/wheels/
ip link set lo up
mkdir outside
pivot_root . outside
umount --lazy /outside
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=multi-user.target \
    --log-target=null --show-status=no </dev/null >/dev/null 2>&1
"""
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    # Nothing is reached from in there: packages are installed on this machine already, wheels were brought along.
    "APT_CONFIG": "/etc/apt/of-this-world",
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": "/var/wheels",
    "PIP_ROOT_USER_ACTION": "ignore",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


@dataclass(frozen=True)
class World:
    """The Debian that runs; `root` is process 1 as this machine sees it."""

    root: int

    def run(self, script: str, timeout: float = 300.0) -> subprocess.CompletedProcess[str]:
        """Paste lines into a shell of root's in there; the first that fails ends it."""
        return subprocess.run(
            ["nsenter", f"--target={self.root}", "--all", "--root", "--wd", "bash", "-eu", "-o", "pipefail"],
            input=script,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def says(self, script: str, timeout: float = 300.0) -> str:
        """Return what lines print in there; they must not fail."""
        done = self.run(script, timeout)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout


@contextmanager
def debian(repository: Path, wheels: Path) -> Iterator[World]:
    """Boot one that holds the repository's files and these wheels, and end it with everything in it."""
    place = Path(tempfile.mkdtemp(prefix="debian-world-"))
    flags = ("--mount", "--pid", "--net", "--cgroup", "--ipc", "--uts", "--fork", "--kill-child")
    command = ["unshare", *flags, "bash", "-euc", BOOT, "boot"]
    command += [str(place), " ".join(MASKED), str(repository), str(wheels)]
    # Process 1 keeps what is open: it must not hold the test's pipes.
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            yield _booted(process)
        finally:
            process.kill()
    # What was mounted is gone with its last process; the folder is as empty as it was made.
    _remove(place)


def _remove(place: Path) -> None:
    until = time.monotonic() + 20
    while place.exists():
        with suppress(OSError):
            place.rmdir()
        assert time.monotonic() < until, f"{place} is still in use"
        time.sleep(0.05)


def _booted(process: "subprocess.Popen[bytes]") -> World:
    until = time.monotonic() + BOOT_S
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while True:
        assert process.poll() is None, "the world ended while it was made: see above"
        assert time.monotonic() < until, "systemd has not come up"
        for child in children.read_text().split():
            with suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                    world = World(int(child))
                    state = world.run("systemctl is-system-running || true").stdout.strip()
                    if state in {"running", "degraded"}:
                        world.says("echo 'APT::Get::Upgrade \"false\";' > /etc/apt/of-this-world")
                        world.says("systemctl unmask --quiet nginx.service")
                        return world
        time.sleep(0.1)
