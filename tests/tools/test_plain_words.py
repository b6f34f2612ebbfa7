"""The word list: each banned phrase is found, plain text is not, and the held folders hold."""

from pathlib import Path

import pytest
from tools.plain_words import check, check_text

DIALECT = [
    "Whoever calls is refused.",
    "Removes what is left of the body.",
    "The record tells the size.",
    "Whether it holds cannot be told.",
    "The database forgets the row.",
    "The file lies in the folder.",
    "The leaf stands at its index.",
    "The routes say of themselves what they take.",
    "Nothing is said of the rest.",
    "An event is missing without a word.",
    "Exceptions of ours are logged.",
    "It needs keys of one's own.",
    "The status now, unless said otherwise.",
    "It is revoked for good.",
    "The tables are held against the log.",
    "The files are written anew.",
]
PLAIN = [
    "The client was told about the transfer.",
    "A proof that the entry is in the log.",
    "The name stands for a partner.",
    "The rest of the body is dropped.",
    "Some grants were withdrawn, and several others were not.",
    'A link leads to `whoever`, which is code, and "whoever", which is quoted.',
    "For goods and services.",
]


@pytest.mark.parametrize("sentence", DIALECT)
def test_a_banned_phrase_is_found(sentence: str) -> None:
    """A banned phrase is found in a docstring, in a comment and in a document, with its line."""
    for path, text in [
        ("a.py", f'"""A module.\n\n{sentence}\n"""\n'),
        ("a.py", f"A = 1\n\n# {sentence}\n"),
        ("README.md", f"# A page\n\n{sentence}\n"),
    ]:
        assert {(found.path, found.line) for found in check_text(path, text)} == {(path, 3)}, text


@pytest.mark.parametrize("sentence", PLAIN)
def test_plain_text_is_not_found(sentence: str) -> None:
    """A plain sentence is accepted, also one with a banned word in code or quotation marks."""
    assert check_text("README.md", f"{sentence}\n") == []
    assert check_text("README.md", f"```\nwhoever\n```\n{sentence}\n") == []


@pytest.mark.parametrize(
    "code",
    [
        "for one in grants:\n    pass\n",
        "names = [some.name for some in grants]\n",
        "several = 3\n",
        "sort(grants, key=lambda other: other.name)\n",
        "def name(one: int) -> None: ...\n",
    ],
)
def test_an_empty_name_is_found(code: str) -> None:
    """A variable, a loop and an argument called `one`, `some`, `several` or `other` are found."""
    assert [found.line for found in check_text("a.py", code)] == [1]


def test_a_comparison_may_have_another() -> None:
    """Python's own name of an argument is accepted in a special method."""
    assert check_text("a.py", "class A:\n    def __eq__(self, other: object) -> bool: ...\n") == []


def test_a_folder_is_checked_with_all_its_files(tmp_path: Path) -> None:
    """Modules and documents of a held folder are checked, in every folder below it."""
    (tmp_path / "held/below").mkdir(parents=True)
    (tmp_path / "held/below/a.py").write_text("one = 1\n")
    (tmp_path / "held" / "README.md").write_text("Whoever reads this.\n")
    (tmp_path / "free.py").write_text("one = 1\n")
    assert {found.path for found in check(["held"], tmp_path)} == {"held/below/a.py", str(Path("held", "README.md"))}


def test_a_held_folder_that_moved_is_an_error(tmp_path: Path) -> None:
    """A held name without a file or folder is an error, so that no folder silently goes unchecked."""
    with pytest.raises(FileNotFoundError):
        check(["moved"], tmp_path)
