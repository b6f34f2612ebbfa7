"""What the registry refuses although the request has the form that the description asks for, each with its reason.

A description of form cannot say what is in a catalogue, in a table or in another member. A refusal of such a request is
right if each of its faults is one of these; any other is a fault of the description or of the registry.
"""

# Pattern of a fault's detail (status 400) → why no schema asks for it.
MALFORMED = {
    r"^'.*' is no (partner|purpose|data category) of this network$": "the network's catalogue lists them",
    r"^is no (language of this text|text of this network)$|^There is no such text in this network": "as catalogues do",
    r"is no cursor of this list$": "a cursor is opaque, and good for its own list and filter",
    r"^from must not be larger than to$|^must be after from$|must not be after received_at$": "two values are compared",
    r"must not be in the future$": "a value is compared with the clock",
    r"^must not be the (sender|holder)|^must be another partner than the caller$": "two partners are compared",
    r"^belongs to basis statute only$|^is required when basis is statute$": "depends on `basis`",
    r"^must say what was sent$": "depends on `outcome`",
    r"^a release has no categories": "depends on what else is withdrawn",
    r"^everything is withdrawn|^name the consent by consent_id or receipt_code$": "depends on `scope`",
    r"^must not be named twice$": "two entries of a list may mean the same in different words",
    r"^must not contain control or format characters$": "a schema's patterns know no classes of Unicode",
    r"^must be in Unicode normal form C$|^must not begin or end with a space$": "nor normal forms and all spaces",
    r"must be within the years ": "so are bounds of an instant",
    r"^must be a whole number from ": "JSON Schema takes 15.0 for an integer, the registry takes 15 alone",
    r"^must be base64 of a text in UTF-8$": "a schema sees the characters, not what they decode to",
}
