"""Long black-box campaigns against a running server: what it promises while it is being hurt."""
