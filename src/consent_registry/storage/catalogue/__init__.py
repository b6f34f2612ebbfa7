"""Statements for networks: setup, catalogue, texts, approvals, policies and suspensions."""
