"""The demonstration's data: five real cooperations, as public texts describe them, with made-up clients.

The network documents mark every fact that is not in the public texts as an assumption.
"""
