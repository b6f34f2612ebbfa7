"""The demonstration's data: five real cooperations as public texts describe them, with made-up clients.

Everything the public texts do not say is marked as an assumption in the network documents.
"""
