"""Programs for work on the registry's code, which are not part of the product."""
