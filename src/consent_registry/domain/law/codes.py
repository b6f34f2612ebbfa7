"""The codes of what a client is informed of: by the person who explained it, or by the text."""

from typing import Literal, get_args

InformationItem = Literal[
    "purpose",
    "recipients",
    "voluntary",
    "withdrawal",
    "consequences_of_refusal",
    "no_effect_on_benefits",
    "no_effect_on_residence",
    "authority_may_use_otherwise",
    "statute_beside_consent",
    "complaint",
    "release_separate",
    "registry",
    "third_persons",
]
# What only a text can say.
OfText = Literal["special_explicit", "after_withdrawal", "storage", "rights", "minors", "onward", "copy"]
Informs = InformationItem | OfText

TOLD: tuple[InformationItem, ...] = get_args(InformationItem)
INFORMS: tuple[Informs, ...] = (*TOLD, *get_args(OfText))
