"""The releases from secrecy (§ 203 StGB) that a consent in a demonstration network needs, as its clients give them."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from consent_registry.demo.documents import SLUGS, read_catalogue, read_network


def needed_releases(grants: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """One release for each pair of a secrecy holder and a recipient among these grants, by the holder's function."""
    sides = dict.fromkeys(
        (grant["sender"], grant["recipient"]) for grant in grants if grant.get("answer", "given") == "given"
    )
    return [
        {"holder": sender, "towards": recipient, "function": bound_functions()[sender]}
        for sender, recipient in sides
        if sender in bound_functions()
    ]


@cache
def bound_functions() -> dict[str, str]:
    """By secrecy holder of the demonstration networks the first of its functions that is bound."""
    bound = {}
    for slug in SLUGS:
        document = read_network(slug)
        norms = {function.slug: function.secrecy_norm for function in read_catalogue(document).functions}
        for partner in document.partners:
            functions = [function for function in partner.functions if norms[function] is not None]
            if functions:
                bound[partner.slug] = functions[0]
    return bound
