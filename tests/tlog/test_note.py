"""Signed notes and checkpoints: the worked examples byte for byte, and everything that must be refused."""

import base64

import pytest

from consent_registry.tlog.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from consent_registry.tlog.merkle import leaf_hash, root
from consent_registry.tlog.note import (
    COSIGNATURE,
    NoteRefused,
    Signature,
    SignedNote,
    SignerKey,
    VerifierKey,
    check_name,
    sign_note,
)
from tests.tlog.vectors import ENTRIES_B, NOTE_A, NOTES_B, ORIGIN_B, SKEY_B, VKEY_A, VKEY_B

ALICE = SignerKey.of_seed("alice.example/log", bytes(range(32)))
BOB = SignerKey.of_seed("bob.example/log", bytes(range(1, 33)))
TEXT = "one\n\ntwo\n\n"
B = VerifierKey.parse(VKEY_B)


def test_vector_a() -> None:
    """The example of the Go tools verifies under its key, and is written again byte for byte."""
    note = SignedNote.parse(NOTE_A)
    assert note.verified([VerifierKey.parse(VKEY_A)]) == (VerifierKey.parse(VKEY_A),)
    assert note.text == "This is an example message.\n"
    assert note.format() == NOTE_A


def test_vector_b_keys() -> None:
    """The private key of the test log gives its public key; both are written again as they were read."""
    signer = SignerKey.parse(SKEY_B)
    assert (str(signer.verifier), signer.format()) == (VKEY_B, SKEY_B)
    assert signer.verifier == B


def test_vector_b_signs_again() -> None:
    """All sixteen checkpoints of the test log are signed; those of size 3 and 15 are the published bytes."""
    signer = SignerKey.parse(SKEY_B)
    leaves = [leaf_hash(entry) for entry in ENTRIES_B]
    for size in range(len(leaves) + 1):
        checkpoint = Checkpoint(ORIGIN_B, size, root(leaves[:size]))
        data = sign_checkpoint(checkpoint, [signer]).format()
        assert NOTES_B.get(size, data) == data
        opened = open_checkpoint(data, [B])
        assert (opened.checkpoint, opened.keys, opened.note.format()) == (checkpoint, (B,), data)


def test_the_key_of_our_own_log() -> None:
    """The verifier key of a log with the seed 00…1f equals the one that other programs make."""
    signer = SignerKey.of_seed("consent.example/log", bytes(range(32)))
    assert str(signer.verifier) == "consent.example/log+deb5ad86+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"


def test_the_text_ends_at_the_last_empty_line() -> None:
    """Empty lines within the text and at its end belong to the text."""
    data = sign_note(TEXT, [ALICE]).format()
    note = SignedNote.parse(data)
    assert note.text == TEXT
    assert note.verified([ALICE.verifier]) == (ALICE.verifier,)


def test_unknown_keys_are_ignored() -> None:
    """A signature of an unknown key is ignored, even if it is wrong or shares the name or the id of a known key."""
    good = ALICE.sign(TEXT)
    same_name = Signature(good.name, b"\0\0\0\1", bytes(64))
    same_id = Signature("carol.example/log", good.key_id, bytes(3))
    note = SignedNote.parse(SignedNote(TEXT, (same_name, BOB.sign(TEXT), same_id, good)).format())
    assert note.verified([ALICE.verifier]) == (ALICE.verifier,)
    assert note.verified([]) == ()
    assert note.verified([ALICE.verifier, BOB.verifier]) == (BOB.verifier, ALICE.verifier)


def test_a_bad_signature_of_a_known_key_refuses_the_note() -> None:
    """A wrong signature of a known key refuses the note, even beside a valid one; control: without it it holds."""
    bad = Signature(ALICE.name, ALICE.verifier.key_id, BOB.sign(TEXT).value)
    for signatures in [(bad,), (BOB.sign(TEXT), bad), (ALICE.sign(TEXT), bad)]:
        note = SignedNote(TEXT, signatures)
        with pytest.raises(NoteRefused, match="does not hold"):
            note.verified([ALICE.verifier, BOB.verifier])
    short = SignedNote(TEXT, (Signature(ALICE.name, ALICE.verifier.key_id, bytes(1)),))
    with pytest.raises(NoteRefused, match="does not hold"):
        short.verified([ALICE.verifier])
    assert SignedNote(TEXT, (BOB.sign(TEXT),)).verified([ALICE.verifier, BOB.verifier]) == (BOB.verifier,)


def test_every_flipped_bit_is_noticed() -> None:
    """A flipped bit in text or signature refuses the note, or the signature no longer belongs to the known key."""
    data = NOTES_B[3]
    for bit in range(len(data) * 8):
        altered = bytearray(data)
        altered[bit // 8] ^= 1 << bit % 8
        try:
            assert SignedNote.parse(bytes(altered)).verified([B]) == ()
        except NoteRefused:
            continue


def test_many_signatures() -> None:
    """Up to a hundred signatures are read, and more are refused. A repeated name and id is written once."""
    others = [SignerKey.of_seed(f"w{number}.example", bytes([number]) * 32) for number in range(100)]
    note = SignedNote.parse(sign_note(TEXT, others).format())
    assert len(note.verified([signer.verifier for signer in others])) == 100
    with pytest.raises(NoteRefused, match="at most 100"):
        SignedNote.parse(sign_note(TEXT, [*others, ALICE]).format())
    assert sign_note(TEXT, [ALICE, BOB, ALICE]).format() == sign_note(TEXT, [ALICE, BOB]).format()


LINE = ALICE.sign("a\n").line()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"a\n",
        b"a\n\n",
        b"\n\n" + LINE.encode()[:-1],
        f"a\n{LINE}".encode(),
        LINE.encode(),
        f"a\n\n{LINE}".encode()[:-1],
        f"a\n\n{LINE}\n".encode(),
        f"a\n\n{LINE}{LINE[:-1]}".encode(),
        f"a\n\n{LINE.replace('—', '-')}".encode(),
        f"a\n\n{LINE.replace('— ', '—')}".encode(),
        f"a\n\n{LINE.replace('alice', 'ali+ce')}".encode(),
        ("a\n\n" + LINE.replace("alice", "ali\u2009ce")).encode(),
        ("a\n\n" + LINE.replace("alice", "ali\u00a0ce")).encode(),
        f"a\n\n{LINE.replace('alice.example/log', '')}".encode(),
        f"a\n\n{LINE.replace('=', '')}".encode(),
        f"a\n\n{LINE[:-1]} \n".encode(),
        b"a\n\n\xe2\x80\x94 alice AAAA\n",
        b"a\n\n\xe2\x80\x94 alice AAAAAA==\n",
        f"a\r\n\n{LINE}".encode(),
        f"a\tb\n\n{LINE}".encode(),
        f"a\0\n\n{LINE}".encode(),
        b"\xff\n\n" + LINE.encode(),
        b"a" * 1_000_000 + f"\n\n{LINE}".encode(),
    ],
)
def test_what_is_no_note(data: bytes) -> None:
    """Truncated, malformed or endless input, and control characters, are refused."""
    with pytest.raises(NoteRefused):
        SignedNote.parse(data)


def test_the_longest_note() -> None:
    """A note of a million bytes is read; a longer one is refused."""
    text = "a" * (1_000_000 - len(f"\n\n{LINE}".encode()))
    data = f"{text}\n\n{LINE}".encode()
    assert len(data) == 1_000_000
    assert SignedNote.parse(data).text == f"{text}\n"
    with pytest.raises(NoteRefused, match=r"^the note is too long$"):
        SignedNote.parse(b"a" + data)


def test_a_signature_line_and_a_name_have_their_form() -> None:
    """A signature line is a dash, a name, a space and base64; a name has no control character and no white space."""
    for line in (LINE[:-1].removeprefix("— "), "— alice.example/log", "—", ""):
        with pytest.raises(NoteRefused, match=r"^not a signature line: "):
            Signature.parse(line)
    for name in ("", "a b", "a\x01b", "a\x1fb", "a+b", "a\u2009b"):
        with pytest.raises(NoteRefused, match=r"^not a name for a key: "):
            check_name(name)
    check_name("a!b")


def test_whose_signature_a_line_names() -> None:
    """A line belongs to a key by name and id together. The signature is not verified for this."""
    line = ALICE.sign(TEXT)
    assert ALICE.verifier.wrote(line)
    assert not BOB.verifier.wrote(line)
    assert not ALICE.verifier.wrote(Signature(BOB.name, line.key_id, line.value))
    assert not ALICE.verifier.wrote(Signature(line.name, BOB.verifier.key_id, line.value))


def test_two_spellings_of_one_signature() -> None:
    """Base64 with unused bits set is refused: a note has one spelling."""
    encoded = LINE.split()[2]
    assert encoded.endswith("=")
    last = encoded.rstrip("=")[-1]
    letter = chr(ord(last) + 1)
    altered = LINE.replace(last + encoded[len(encoded.rstrip("=")) :], letter + encoded[len(encoded.rstrip("=")) :])
    assert altered != LINE
    with pytest.raises(NoteRefused, match="canonical"):
        Signature.parse(altered[:-1])


@pytest.mark.parametrize("text", ["", "a", "a\n\tb\n", "a\0\n"])
def test_what_is_not_written(text: str) -> None:
    """A text without final newline, with control characters, or without signature is not written as a note."""
    with pytest.raises(NoteRefused):
        sign_note(text, [ALICE]).format()
    with pytest.raises(NoteRefused):
        SignedNote("a\n", ()).format()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com/foo",
        VKEY_A.replace("530d903a", "530d903b"),
        VKEY_A.replace("530d903a", "530D903A"),
        VKEY_A.replace("example.com/foo", "example.com/bar"),
        VKEY_A.replace("+A", "+B"),
        VKEY_A[:-4],
        VKEY_A + "=",
        VKEY_A.replace("example.com/foo", "example com"),
        "PRIVATE+KEY+" + VKEY_A,
    ],
)
def test_what_is_no_public_key(text: str) -> None:
    """A wrong id, type, length, name or spelling is refused."""
    with pytest.raises(NoteRefused):
        VerifierKey.parse(text)


@pytest.mark.parametrize(
    "key",
    [
        VerifierKey("with space", ALICE.verifier.public),
        VerifierKey("", ALICE.verifier.public),
        VerifierKey(ALICE.name, ALICE.verifier.public, 2),
        VerifierKey(ALICE.name, ALICE.verifier.public[:-1]),
        VerifierKey(ALICE.name, ALICE.verifier.public + b"\0"),
    ],
)
def test_a_key_with_its_right_id_may_still_be_none(key: VerifierKey) -> None:
    """A key with a malformed name, an unknown type or another length is refused, even if its id is right."""
    with pytest.raises(NoteRefused):
        VerifierKey.parse(str(key))
    with pytest.raises(NoteRefused, match="not a name for a key"):
        _ = SignerKey.of_seed("with space", bytes(32)).verifier


def test_a_private_key_says_so() -> None:
    """A private key without its prefix is refused."""
    assert SignerKey.parse(SKEY_B).verifier == B
    with pytest.raises(NoteRefused, match="begins with PRIVATE"):
        SignerKey.parse(SKEY_B.removeprefix("PRIVATE+KEY+"))


@pytest.mark.parametrize("text", [VKEY_B, SKEY_B[:-4], SKEY_B.replace("33d7b496", "33d7b497"), "PRIVATE+KEY+x"])
def test_a_refused_private_key_is_not_shown(text: str) -> None:
    """A refused private key is neither in the message nor in the traceback."""
    with pytest.raises(NoteRefused) as refused:
        SignerKey.parse(text)
    assert text[-20:] not in str(refused.value)
    assert refused.value.__cause__ is None
    assert SKEY_B[-20:] not in repr(SignerKey.parse(SKEY_B))


def test_keys_for_cosignatures_sign_no_notes() -> None:
    """A key of type 0x04 has another id and refuses to sign a note."""
    witness = SignerKey.of_seed(ALICE.name, bytes(range(32)), COSIGNATURE)
    assert VerifierKey.parse(str(witness.verifier)) == witness.verifier
    assert SignerKey.parse(witness.format()).verifier == witness.verifier
    assert witness.verifier.key_id != ALICE.verifier.key_id
    with pytest.raises(NoteRefused, match="for cosignatures"):
        witness.sign(TEXT)
    assert base64.b64decode(str(witness.verifier).split("+", 2)[2]) == b"\x04" + witness.verifier.public
    plain = Signature(witness.name, witness.verifier.key_id, witness.private.sign(TEXT.encode()))
    assert SignedNote(TEXT, (plain,)).verified([witness.verifier, ALICE.verifier]) == ()
    with pytest.raises(NoteRefused, match="32 bytes"):
        SignerKey.of_seed("short", bytes(31))


ZEROS = "A" * 43 + "="


@pytest.mark.parametrize(
    "text",
    [
        f"origin\n01\n{ZEROS}\n",
        f"origin\n-1\n{ZEROS}\n",
        f"origin\n+1\n{ZEROS}\n",
        f"origin\n٣\n{ZEROS}\n",
        f"origin\n9223372036854775808\n{ZEROS}\n",
        "origin\n1\n" + "A" * 42 + "==\n",
        "origin\n1\n" + "A" * 42 + "B=\n",
    ],
)
def test_what_is_no_checkpoint(text: str) -> None:
    """A checkpoint with malformed numbers or hashes is refused."""
    with pytest.raises(NoteRefused, match="the checkpoint of 'origin' cannot be read"):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "origin",
        "origin\n",
        "origin\n1\n",
        f"origin\n1\n{ZEROS}",
        f"\n1\n{ZEROS}\n",
        f"origin\n1\n{ZEROS}\nmore",
        f"origin\n1\n{ZEROS}\n\nmore\n",
        f"origin\n1\n{ZEROS}\n\n",
    ],
)
def test_a_checkpoint_has_three_lines(text: str) -> None:
    """Missing lines, empty lines and an unfinished line are refused."""
    with pytest.raises(NoteRefused, match="at least three lines, none of them empty"):
        Checkpoint.parse(text)


def test_extension_lines_are_let_through() -> None:
    """Lines after the third are signed and have no meaning here."""
    text = "origin.example\n9223372036854775807\n" + "A" * 43 + "=\nextension 1\n"
    signer = SignerKey.of_seed("origin.example", bytes(32))
    opened = open_checkpoint(sign_note(text, [signer]).format(), [signer.verifier])
    assert opened.checkpoint == Checkpoint("origin.example", 2**63 - 1, bytes(32))
    assert opened.note.text == text


def test_a_checkpoint_belongs_to_its_origin() -> None:
    """A checkpoint is verified with every given key that has its origin's name; other keys are ignored."""
    checkpoint = Checkpoint(ALICE.name, 0, root([]))
    second = SignerKey.of_seed(ALICE.name, bytes(32))
    data = sign_checkpoint(checkpoint, [ALICE, second]).format()
    for keys in ([ALICE.verifier], [second.verifier], [second.verifier, ALICE.verifier, BOB.verifier]):
        assert set(open_checkpoint(data, keys).keys) == set(keys) - {BOB.verifier}
    foreign = sign_note(checkpoint.body(), [BOB]).format()
    for keys in ([BOB.verifier], [ALICE.verifier], [SignerKey.of_seed(ALICE.name, bytes(32), COSIGNATURE).verifier]):
        with pytest.raises(NoteRefused, match="no known key of the log"):
            open_checkpoint(foreign, keys)
    for signers in ([BOB], [ALICE, BOB], [BOB, ALICE]):
        with pytest.raises(NoteRefused, match="must have the origin as its name"):
            sign_checkpoint(checkpoint, signers)
    with pytest.raises(NoteRefused, match="not a name"):
        sign_checkpoint(Checkpoint("with space", 0, root([])), [])
