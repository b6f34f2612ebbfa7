"""Tests: they mirror the source, plus journeys, campaigns, controls and the oracle."""
