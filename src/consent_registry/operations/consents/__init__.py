"""Recording consents, changing their grants, withdrawing, reading and searching them."""
