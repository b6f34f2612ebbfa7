"""Tests: they mirror the source, plus journeys, campaigns with the defects they must find, and the oracle."""
