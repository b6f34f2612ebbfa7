"""The page docs/rules.md, written from the tables of the law: `python -m tools.rules`."""
