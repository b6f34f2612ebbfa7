"""The network: how it is set up and administered, its catalogue, texts, approvals and policies: their statements."""
