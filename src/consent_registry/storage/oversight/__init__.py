"""What data-protection officers and auditors look at: statements."""
