"""Oversight by data-protection officers and auditors: findings, searches, exports, bundles and the table check."""
