"""Cosignatures and the messages between log and witness, with the specification's own examples."""

import base64

import pytest

from consent_registry.tlog.checkpoint import Checkpoint, sign_checkpoint
from consent_registry.tlog.cosignature import cosign, cosignatures, verify_cosignature
from consent_registry.tlog.merkle import EMPTY_ROOT, leaf_hash, node_hash, root
from consent_registry.tlog.note import (
    COSIGNATURE,
    NoteRefused,
    Signature,
    SignedNote,
    SignerKey,
    VerifierKey,
    sign_note,
)
from consent_registry.tlog.witness import AddCheckpoint, SubmissionRefused, judge, read_conflict_size, read_cosignatures
from tests.tlog.vectors import hashes

LOG = SignerKey.of_seed("consent.example/log", bytes(range(32)))
OTHER_KEY = SignerKey.of_seed(LOG.name, bytes(32))
WITNESS = SignerKey.of_seed("w1.example", bytes([7]) * 32, COSIGNATURE)
SECOND = SignerKey.of_seed("w2.example", bytes([8]) * 32, COSIGNATURE)
LEAVES = [leaf_hash(f"entry {number}".encode()) for number in range(9)]
KNOWN = {LOG.name: [LOG.verifier]}

# The example of tlog-witness, whole.
SPECIFIED = """old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa \
opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
""".encode()


def signed(size: int, leaves: list[bytes] | None = None, signer: SignerKey = LOG) -> bytes:
    """Return the log's checkpoint at a size."""
    return sign_checkpoint(Checkpoint(LOG.name, size, root((leaves or LEAVES)[:size])), [signer]).format()


def latest(size: int) -> Checkpoint | None:
    """Return the latest checkpoint that the witness has stored."""
    return Checkpoint(LOG.name, size, root(LEAVES[:size])) if size else None


def test_a_cosignature_says_when() -> None:
    """A cosignature is valid only for its text, its time, its key and its length."""
    text = "origin.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    line = cosign(text, WITNESS, 1679315147)
    assert len(line.key_id + line.value) == 76
    assert verify_cosignature(text, line, WITNESS.verifier) == 1679315147
    assert cosign(text, WITNESS, 1679315147) == line
    later = Signature(line.name, line.key_id, (1679315148).to_bytes(8, "big") + line.value[8:])
    for changed, key, body in [
        (line, WITNESS.verifier, text.replace("0", "1")),
        (later, WITNESS.verifier, text),
        (line, SECOND.verifier, text),
        (Signature(line.name, line.key_id, line.value[:-1]), WITNESS.verifier, text),
        (Signature(line.name, line.key_id, line.value + b"\0"), WITNESS.verifier, text),
        (Signature(line.name, line.key_id, b"\xff" + line.value[1:]), WITNESS.verifier, text),
    ]:
        with pytest.raises(NoteRefused):
            verify_cosignature(body, changed, key)
    with pytest.raises(NoteRefused, match="has 71 bytes"):
        verify_cosignature(text, Signature(line.name, line.key_id, line.value[:-1]), WITNESS.verifier)
    for at in (0, 2**63 - 1):
        assert verify_cosignature(text, cosign(text, WITNESS, at), WITNESS.verifier) == at
    for at in (-1, 2**63):
        with pytest.raises(NoteRefused, match="cannot have the time"):
            cosign(text, WITNESS, at)
    with pytest.raises(NoteRefused, match="not a key for cosignatures"):
        cosign(text, LOG, 0)


def test_the_message_is_the_specified_one() -> None:
    """The signed message is two lines and the text, and the cosignature is its plain Ed25519 signature."""
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    message = f"cosignature/v1\ntime 1679315147\n{text}".encode()
    assert cosign(text, WITNESS, 1679315147).value[8:] == WITNESS.private.sign(message)


def test_who_cosigned_a_note() -> None:
    """Known witnesses are returned with their latest time, unknown ones are ignored, and a wrong cosignature of a known
    witness is refused.
    """
    note = SignedNote.parse(signed(3))
    lines = (cosign(note.text, WITNESS, 5), cosign(note.text, SECOND, 6), cosign(note.text, WITNESS, 9))
    cosigned = SignedNote(note.text, (*note.signatures, *lines))
    assert cosignatures(cosigned, [WITNESS.verifier, LOG.verifier]) == {WITNESS.verifier: 9}
    first = SignedNote(note.text, (*note.signatures, cosign(note.text, WITNESS, 0)))
    assert cosignatures(first, [WITNESS.verifier]) == {WITNESS.verifier: 0}
    false = Signature(WITNESS.name, WITNESS.verifier.key_id, lines[1].value)
    with pytest.raises(NoteRefused, match="does not hold"):
        cosignatures(SignedNote(note.text, (*lines, false)), [WITNESS.verifier])
    assert cosignatures(SignedNote(note.text, (*lines, false)), [SECOND.verifier]) == {SECOND.verifier: 6}


def test_the_specified_request() -> None:
    """The specification's example request is read, and written again byte for byte."""
    request = AddCheckpoint.parse(SPECIFIED)
    assert request.format() == SPECIFIED
    assert (request.old_size, len(request.path)) == (20852014, 4)
    assert request.path[0] == base64.b64decode("PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=")
    checkpoint = Checkpoint.parse(SignedNote.parse(request.note).text)
    assert checkpoint == Checkpoint(
        "example.com/behind-the-sofa", 20852163, hashes("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")[0]
    )


def test_the_specified_checkpoint_does_not_verify_under_another_key() -> None:
    """The example's signatures are by unpublished keys: a known key of that name refuses or ignores them."""
    key = SignerKey.of_seed("example.com/behind-the-sofa", bytes(32)).verifier
    with pytest.raises(SubmissionRefused) as refused:
        judge(AddCheckpoint.parse(SPECIFIED), {key.name: [key]}, None)
    assert refused.value.status == 403


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 1\n",
        b"new 1\n\n" + signed(1),
        b"old 01\n\n" + signed(1),
        b"old -1\n\n" + signed(1),
        b"old  1\n\n" + signed(1),
        b"old 9223372036854775808\n\n" + signed(1),
        b"old 1\nshort\n\n" + signed(1),
        b"old 1\nAAAA\n\n" + signed(1),
        b"old 1\r\n\n" + signed(1),
        b"old 1\n" + b"A" * 43 + b"=\n" * 1 + signed(1),
        b"old 1\n" + (b"A" * 43 + b"=\n") * 64 + b"\n" + signed(1),
        b"old 1\n\n" + b"a" * 262144,
        "old \u0661\n\n".encode() + signed(1),
        b"old 0\n\n",
        b"old 0\n\nno note\n",
        b"old 0\n\n" + sign_note("no checkpoint\n", [LOG]).format(),
    ],
)
def test_what_is_no_request(body: bytes) -> None:
    """A malformed request is answered with 400."""
    with pytest.raises(SubmissionRefused) as refused:
        judge(AddCheckpoint.parse(body), KNOWN, None)
    assert refused.value.status == 400


@pytest.mark.parametrize("body", [b"", b"old 1", b"old 1\n", b"1\n\n" + signed(1), b"old1\n\n" + signed(1)])
def test_a_request_without_its_frame(body: bytes) -> None:
    """A request without `old` or without the empty line is refused before the note is read."""
    with pytest.raises(SubmissionRefused, match=r"^a request is 'old <size>'") as refused:
        AddCheckpoint.parse(body)
    assert (refused.value.status, refused.value.media_type) == (400, "text/plain; charset=utf-8")


def test_the_largest_request() -> None:
    """A request of 256 KiB is read; a longer one is answered with 400 before anything else is checked."""
    body = b"old 0\n\n"
    assert AddCheckpoint.parse(body.ljust(262_144, b"x")).note == b"x" * (262_144 - len(body))
    with pytest.raises(SubmissionRefused, match=r"^a request has at most 262144 bytes$") as refused:
        AddCheckpoint.parse(body.ljust(262_145, b"x"))
    assert refused.value.status == 400


def test_sixty_three_hashes_are_read() -> None:
    """A request with 63 hashes is allowed: it fails because of its proof (422), not because of its length."""
    body = b"old 1\n" + (b"A" * 43 + b"=\n") * 63 + b"\n" + signed(2)
    with pytest.raises(SubmissionRefused) as refused:
        judge(AddCheckpoint.parse(body), KNOWN, latest(1))
    assert refused.value.status == 422


FORK = [leaf_hash(b"another past"), *LEAVES[1:]]


@pytest.mark.parametrize(
    ("status", "old", "path", "note", "seen"),
    [
        (404, 0, [], sign_note(f"unknown\n0\n{'A' * 43}=\n", [LOG]).format(), 0),
        (403, 0, [], signed(3, signer=OTHER_KEY), 0),
        (403, 0, [], signed(3).replace(b"\n3\n", b"\n4\n"), 0),
        (400, 4, [], signed(3), 4),
        (409, 0, [], signed(3), 2),
        (409, 1, [LEAVES[1]], signed(2), 2),
        (409, 2, [LEAVES[2]], signed(3), 0),
        (422, 2, [LEAVES[3]], signed(3), 2),
        (422, 2, [], signed(3), 2),
        (422, 2, [LEAVES[2], LEAVES[2]], signed(3), 2),
        (422, 0, [LEAVES[0]], signed(3), 0),
        (422, 3, [], signed(3, FORK), 3),
        (422, 2, [LEAVES[2]], signed(3, FORK), 2),
        (422, 3, [LEAVES[0]], signed(3), 3),
        (422, 0, [], sign_checkpoint(Checkpoint(LOG.name, 0, bytes(32)), [LOG]).format(), 0),
    ],
)
def test_refusals(status: int, old: int, path: list[bytes], note: bytes, seen: int) -> None:
    """Each rule of tlog-witness has its status, and a 409 contains the witness's size in its own media type."""
    with pytest.raises(SubmissionRefused) as refused:
        judge(AddCheckpoint(old, tuple(path), note), KNOWN, latest(seen))
    assert refused.value.status == status
    if status == 409:
        assert (refused.value.media_type, refused.value.body) == ("text/x.tlog.size", f"{seen}\n")
        assert read_conflict_size(refused.value.body.encode()) == seen


@pytest.mark.parametrize(
    ("old", "path", "size"),
    [(0, [], 3), (0, [], 0), (3, [], 3), (2, [LEAVES[2]], 3), (3, [LEAVES[2], LEAVES[3], node_hash(*LEAVES[:2])], 4)],
)
def test_what_is_accepted(old: int, path: list[bytes], size: int) -> None:
    """A witness accepts a first checkpoint, the next one with its proof, and the same one again."""
    new, note = judge(AddCheckpoint(old, tuple(path), signed(size)), KNOWN, latest(old))
    assert new == Checkpoint(LOG.name, size, root(LEAVES[:size]) if size else EMPTY_ROOT)
    assert note.format() == signed(size)


def test_reading_the_answer() -> None:
    """Cosignatures of known witnesses are read from the answer, others are ignored, and anything else is refused."""
    text = SignedNote.parse(signed(3)).text
    ours, foreign = cosign(text, WITNESS, 5), cosign(text, SECOND, 6)
    body = (foreign.line() + ours.line()).encode()
    assert read_cosignatures(body, text, [WITNESS.verifier]) == [(ours, 5)]
    assert read_cosignatures(body, text, [VerifierKey(WITNESS.name, SECOND.verifier.public, COSIGNATURE)]) == []
    no_end = ours.line()[:-1].encode() + b" "  # a line whose newline is another sign
    for bad in (b"", b"\n", b"ok\n", body[:-1], no_end, b"\xff\n", ours.line().encode() + b"\n"):
        with pytest.raises(NoteRefused):
            read_cosignatures(bad, text, [WITNESS.verifier])
    with pytest.raises(NoteRefused, match="does not hold"):
        read_cosignatures(body, text + "x", [WITNESS.verifier])
    for bad in (b"", b"1", b"01\n", b"-1\n", b"1\n1\n", b"\xff\n", b"9223372036854775808\n"):
        with pytest.raises(NoteRefused, match="without a size"):
            read_conflict_size(bad)
