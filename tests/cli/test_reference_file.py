"""An invalid reference is refused with the reason, by every verb that reads one, from a file and from a pipe."""

from pathlib import Path

import pytest

from consent_registry.cli.reference_file import LONGEST, NoReference, checked_reference, read_reference
from tests.cli.forks import Forks
from tests.cli.verbs import every_verb
from tests.support.installation import Registry
from tests.support.office import office

# What a file may hold: its bytes, and what is said of them.
REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "it is empty"),
    "an empty line": (b"\n", "it is empty"),
    "an empty line of another system": (b"\r\n", "it is empty"),
    "a mark and nothing": (b"\xef\xbb\xbf\n", "it is empty"),
    "a leading blank": (b" AWO-1001\n", "must not begin or end with a space"),
    "a trailing blank": (b"AWO-1001 \n", "must not begin or end with a space"),
    "a leading tab": (b"\tAWO-1001\n", "control or format"),
    "a no-break space before it": ("\xa0AWO-1001".encode(), "must not begin or end with a space"),
    "only blanks": (b"   \n", "must not begin or end with a space"),
    "a second line": (b"AWO-1001\nAWO-1002\n", "more than one line"),
    "an empty second line": (b"AWO-1001\n\n", "more than one line"),
    "a line before it": (b"\nAWO-1001\n", "more than one line"),
    "lines of an old system": (b"AWO-1001\rAWO-1002", "more than one line"),
    "not UTF-8": (b"M\xfcller", "it is not UTF-8"),
    "UTF-16": ("AWO-1001".encode("utf-16"), "it is not UTF-8"),
    "a cut character": (b"AWO\xc3", "it is not UTF-8"),
    "a NUL": (b"AWO\x001001", "control or format"),
    "an escape": (b"\x1b[31mAWO", "control or format"),
    "a mark inside": ("AWO\ufeff1001".encode(), "control or format"),
    "two marks": ("\ufeff\ufeffAWO".encode(), "control or format"),
    "a soft hyphen": ("AWO\xad1001".encode(), "control or format"),
    "a zero-width joiner": ("AWO\u200d1001".encode(), "control or format"),
    "another direction": ("AWO\u202e1001".encode(), "control or format"),
    "not in form C": ("Mu\u0308ller".encode(), "normal form C"),
    "an unassigned character": ("AWO\u0378".encode(), "control or format"),
    "129 characters": (b"x" * 129, "must have 1 to 128 characters"),
    "a megabyte": (b"x" * 1_000_000, "must have 1 to 128 characters"),
    "half a megabyte of umlauts": ("ü".encode() * 250_000, "must have 1 to 128 characters"),
}
TAKEN: dict[str, tuple[bytes, str]] = {
    "a line": (b"AWO-1001\n", "AWO-1001"),
    "no line's end": (b"AWO-1001", "AWO-1001"),
    "another system's line": (b"AWO-1001\r\n", "AWO-1001"),
    "a mark": (b"\xef\xbb\xbfAWO-1001\r\n", "AWO-1001"),
    "128 characters of four bytes": (("\U00020000" * 128 + "\n").encode(), "\U00020000" * 128),
    "a blank inside": ("Müller 7\n".encode(), "Müller 7"),
}
# The verbs that read a reference, with what else they need.
READING = {
    "erasure preview": ("small", "--partner", "north"),
    "erasure perform": ("small", "--partner", "north", "--confirm", "0" * 64, "--ground", "unlawful"),
    "hold place": ("small", "--partner", "north", "--norm", "legal_claims", "--staff", "B-12"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_be_no_reference_is_refused(forks: Forks, tmp_path: Path, what: str) -> None:
    """From a file and from standard input, by each verb, before any setting is needed: the reason, and no word of what
    was read; never that there is no such client.
    """
    content, reason = REFUSED[what]
    path = tmp_path / "reference"
    path.write_bytes(content)
    with pytest.raises(NoReference, match=reason):
        read_reference(path)
    for verb, words in READING.items():
        for ended in (
            forks.run(*verb.split(), *words, "--reference-file", path),
            forks.run(*verb.split(), *words, stdin=content),
        ):
            assert (ended.code, ended.out, len(ended.lines)) == (1, "", 1), (verb, ended)
            assert reason in ended.err, ended.err
            assert "AWO" not in ended.err
            assert "no such client" not in ended.err


@pytest.mark.parametrize("what", TAKEN)
def test_what_is_a_reference_is_read(tmp_path: Path, what: str) -> None:
    """Only the line end and a byte order mark are removed from a reference."""
    content, reference = TAKEN[what]
    (tmp_path / "reference").write_bytes(content)
    assert read_reference(tmp_path / "reference") == reference
    assert len(content) <= LONGEST


async def test_control_a_registered_one_is_found_and_another_is_not(
    registry: Registry, forks: Forks, tmp_path: Path
) -> None:
    """With a byte order mark and another system's line end the person is found, by file and by pipe; a reference that
    nobody registered is a client that is not there.
    """
    dsn = registry.installation.dsn
    environment = {
        "CONSENT_REGISTRY_ERASER_DATABASE_URL": dsn(registry.database, "eraser"),
        "CONSENT_REGISTRY_ERASURE_LEDGER": str(tmp_path / "ledger"),
        "CONSENT_REGISTRY_KEYS": str(registry.installation.keys),
    }
    north = await office(registry, "north")
    client = await north.client()
    content = b"\xef\xbb\xbf" + client.encode() + b"\r\n"
    (tmp_path / "reference").write_bytes(content)
    preview = ("erasure", "preview", *READING["erasure preview"])
    assert forks.run(*preview, "--reference-file", tmp_path / "reference", environment=environment).code == 0
    assert forks.run(*preview, stdin=content, environment=environment).code == 0
    unknown = forks.run(*preview, stdin=b"NOBODY-1\n", environment=environment)
    assert (unknown.code, unknown.err) == (1, "consent-registry: There is no such client.\n")


def test_every_verb_that_takes_a_reference_is_in_the_table() -> None:
    """Every verb that reads a reference is in the table above, so that it is tested."""
    taking = {words for words, verb in every_verb() if "reference_file" in verb.__annotations__}
    assert taking == set(READING)


def test_a_reference_among_the_arguments_follows_the_rule_too(forks: Forks, tmp_path: Path) -> None:
    """`verify receipt --reference` refuses an invalid reference."""
    for wrong in (" AWO", "", "A\u200dB", "x" * 129):
        with pytest.raises(NoReference):
            checked_reference(wrong)
    (tmp_path / "receipt").write_text("a.b.c")
    (tmp_path / "proof").write_text("c2sp.org/tlog-proof@v1\nindex 0\n\n")
    vkey = "registry.test/small+0134b6fb+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
    ended = forks.run(
        *("verify", "receipt", tmp_path / "receipt", "--proof", tmp_path / "proof", "--reference", " AWO"),
        *("--vkey", vkey),
    )
    assert (ended.code, len(ended.lines)) == (2, 1), ended
