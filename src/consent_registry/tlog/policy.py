"""Policies (C2SP tlog-policy): which logs and witnesses a verifier trusts, and how many witnesses must cosign."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Self

from consent_registry.tlog.checkpoint import Checkpoint, open_checkpoint
from consent_registry.tlog.cosignature import cosignatures
from consent_registry.tlog.note import COSIGNATURE, ED25519, NoteRefused, SignedNote, VerifierKey
from consent_registry.tlog.refusal import TlogRefused

NONE = "none"
_CONTROL = {*range(0x20), 0x7F} - {0x09, 0x0A}


class PolicyRefused(TlogRefused):
    """A policy's text is malformed, or a checkpoint misses the quorum; the message names the line or the witnesses."""


@dataclass(frozen=True, slots=True)
class TrustedLog:
    """A log: its key, whose name is the log's origin, and optionally the address where it can be read."""

    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class TrustedWitness:
    """A witness: its name in this policy, its key, and optionally the address prefix for submissions."""

    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class WitnessGroup:
    """A group of witnesses and of earlier groups; it counts as cosigned if `threshold` of its members have cosigned."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Logs, witnesses and groups. `quorum` names the witness or group that must have cosigned, or is `none`."""

    logs: tuple[TrustedLog, ...] = ()
    witnesses: dict[str, TrustedWitness] = field(default_factory=dict)
    groups: dict[str, WitnessGroup] = field(default_factory=dict)
    quorum: str = NONE

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a policy's text; raises PolicyRefused, whose message names the line."""
        if set(data) & _CONTROL:
            raise PolicyRefused("a policy holds no control character but tab and newline")
        reader = _PolicyReader()
        # Octets that are not ASCII are opaque (tlog-policy, "Character set"): each becomes one character, except in
        # keys, whose names are UTF-8.
        for number, line in enumerate(data.split(b"\n"), 1):
            words = [word for word in line.replace(b"\t", b" ").split(b" ") if word]
            if words and not words[0].startswith(b"#"):
                try:
                    reader.read([word.decode("utf-8", "surrogateescape") for word in words])
                except ValueError as error:
                    raise PolicyRefused(f"line {number} of the policy: {error}") from error
        if reader.quorum is None:
            raise PolicyRefused("a policy has a quorum line")
        return cls(tuple(reader.logs), reader.witnesses, reader.groups, reader.quorum)

    def format(self) -> bytes:
        """The policy as text, each name defined before it is used."""
        logs = (("log", str(log.key), log.url or "") for log in self.logs)
        witnesses = (
            ("witness", witness.name, str(witness.key), witness.url or "") for witness in self.witnesses.values()
        )
        groups = (("group", name, str(group.threshold), *group.members) for name, group in self.groups.items())
        lines = [" ".join(words).rstrip() for words in (*logs, *witnesses, *groups, ("quorum", self.quorum))]
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")

    def is_met_by(self, cosigners: Collection[VerifierKey]) -> bool:
        """Whether these witnesses meet the quorum. Each public key counts once."""
        return self._counts(self.quorum, {key.public for key in cosigners if key.kind == COSIGNATURE})

    def _counts(self, name: str, publics: set[bytes]) -> bool:
        if name == NONE:
            return True
        if name in self.witnesses:
            return self.witnesses[name].key.public in publics
        group = self.groups[name]
        return sum(self._counts(member, publics) for member in group.members) >= group.threshold


@dataclass(frozen=True, slots=True)
class TrustedCheckpoint:
    """A checkpoint that a trusted log signed, with the witnesses that cosigned it and their POSIX times."""

    checkpoint: Checkpoint
    note: SignedNote
    log_keys: tuple[VerifierKey, ...]
    cosigned_at: dict[VerifierKey, int]


def open_trusted(data: bytes, policy: Policy, *, demand_quorum: bool = True) -> TrustedCheckpoint:
    """Read a checkpoint and verify log signature, cosignatures and quorum.

    Raises NoteRefused for a malformed note or a wrong signature, PolicyRefused if the quorum is not met.
    """
    opened = open_checkpoint(data, [log.key for log in policy.logs])
    times = cosignatures(opened.note, [witness.key for witness in policy.witnesses.values()])
    if demand_quorum and not policy.is_met_by(times):
        names = ", ".join(sorted(key.name for key in times)) or "no witness"
        raise PolicyRefused(f"the quorum {policy.quorum} is not met: {names} cosigned size {opened.checkpoint.size}")
    return TrustedCheckpoint(opened.checkpoint, opened.note, opened.keys, times)


class _PolicyReader:
    """Reads a policy line by line and keeps what the lines so far defined."""

    def __init__(self) -> None:
        self.logs: list[TrustedLog] = []
        self.witnesses: dict[str, TrustedWitness] = {}
        self.groups: dict[str, WitnessGroup] = {}
        self.quorum: str | None = None
        self._grouped: set[str] = set()

    def read(self, words: list[str]) -> None:
        """Read the words of one line; raises ValueError."""
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                self._log(vkey, words[2:])
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                self._witness(name, vkey, words[3:])
            case ["group", name, threshold, *members] if members:
                self._group(name, threshold, members)
            case ["quorum", name]:
                if self.quorum is not None:
                    raise PolicyRefused("a second quorum")
                if name != NONE and name not in self._names():
                    raise PolicyRefused(f"{name} is not defined above")
                self.quorum = name
            case _:
                raise PolicyRefused(f"not a log, witness, group or quorum line: {' '.join(words)[:80]}")

    def _log(self, vkey: str, url: list[str]) -> None:
        key = _key(vkey, ED25519)
        if any(log.key.public == key.public for log in self.logs):
            raise PolicyRefused(f"the key of {key.name} is given twice")
        self.logs.append(TrustedLog(key, *url))

    def _witness(self, name: str, vkey: str, url: list[str]) -> None:
        key = _key(vkey, COSIGNATURE)
        self._require_new(name)
        if any(witness.key.public == key.public for witness in self.witnesses.values()):
            raise PolicyRefused(f"the key of {key.name} is given twice")
        self.witnesses[name] = TrustedWitness(name, key, *url)

    def _group(self, name: str, threshold: str, members: list[str]) -> None:
        self._require_new(name)
        for member in members:
            if member not in self._names():
                raise PolicyRefused(f"{member} is not defined above")
            if member in self._grouped:
                raise PolicyRefused(f"{member} is a member already: a witness counts in one way only")
            self._grouped.add(member)
        numbers = {"any": 1, "all": len(members)} | {str(number): number for number in range(1, len(members) + 1)}
        if threshold not in numbers:
            raise PolicyRefused(f"the threshold is any, all, or 1 to {len(members)}")
        self.groups[name] = WitnessGroup(numbers[threshold], tuple(members))

    def _names(self) -> Iterator[str]:
        yield from self.witnesses
        yield from self.groups

    def _require_new(self, name: str) -> None:
        if name == NONE or name in self._names():
            raise PolicyRefused(f"the name {name} is taken")


def _key(vkey: str, kind: int) -> VerifierKey:
    key = VerifierKey.parse(vkey)
    if key.kind != kind:
        raise NoteRefused(f"the key of {key.name} is of type {key.kind}, not {kind}")
    return key
