"""The law of consents as dated tables and as rules over values: form, capacity, releases, flows, texts, information.

Each table's rows name their norm, their days and whether a data-protection officer has to confirm them. Each rule is a
function that yields faults; `rules/` says what each asks for and whose law it cites. docs/rules.md is made of them.
"""
