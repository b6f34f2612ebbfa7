"""What data-protection officers and auditors look at: findings, searches, bundles and the check of the tables."""
