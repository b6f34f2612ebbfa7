"""Measurements: what a decision costs in time and on disk, beside an empty endpoint in the same run."""
