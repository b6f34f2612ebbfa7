"""Measured figures are printed for people who watch the run, not asserted."""

import sys

import pytest


def show(capsys: pytest.CaptureFixture[str], line: str) -> None:
    """Print one line past pytest's capture."""
    with capsys.disabled():
        sys.stdout.write(f"\n{line}\n")
