"""Every permit has the obligations of purpose binding, no onward transfer and the sender's responsibility."""

import msgspec
import pytest

from consent_registry.domain.flags import CategoryFlags
from consent_registry.domain.obligations import obligations_for
from tests.domain.cases import IDENTITY, partner


@pytest.mark.parametrize(
    ("sender", "recipient", "binding", "responsible"),
    [
        ("sgb_x", "gdpr_bdsg", "§ 78 SGB X", "§ 67d Abs. 1 SGB X"),  # § 78 binds every recipient of Sozialdaten
        ("gdpr_bdsg", "sgb_x", "§ 78 SGB X", "§ 67d Abs. 1 SGB X"),
        ("sgb_x", "kdg", "§ 78 SGB X", "§ 67d Abs. 1 SGB X"),
        ("gdpr_bdsg", "kdg", "§ 7 Abs. 1 lit. b KDG", "Art. 5 Abs. 2 DSGVO"),
        ("kdg", "dsg_ekd", "§ 5 Abs. 1 Nr. 2 DSG-EKD", "Art. 5 Abs. 2 DSGVO"),
        ("kdg", "gdpr_bdsg", "Art. 5 Abs. 1 lit. b DSGVO", "Art. 5 Abs. 2 DSGVO"),
        ("dsg_nrw", "dsg_nrw", "Art. 5 Abs. 1 lit. b DSGVO", "Art. 5 Abs. 2 DSGVO"),
        ("gdpr_bdsg", None, "Art. 5 Abs. 1 lit. b DSGVO", "Art. 5 Abs. 2 DSGVO"),
    ],
)
def test_norms_follow_the_law_of_both_sides(sender: str, recipient: str | None, binding: str, responsible: str) -> None:
    """The norm is SGB X if either partner is under it, else the recipient's law."""
    found = obligations_for(partner(1, regime=sender), partner(2, regime=recipient))
    assert [(obligation.code, obligation.norm) for obligation in found] == [
        ("purpose_binding", binding),
        ("no_onward_transfer", binding),
        ("sender_responsible", responsible),
    ]


def test_a_permit_says_that_it_is_not_lawfulness() -> None:
    """Every permit has the remark that a consent on file does not make the transfer lawful."""
    last = obligations_for(partner(1), partner(2))[-1]
    assert "nicht die Rechtmäßigkeit" in last.text
    assert all(obligation.text.endswith(".") for obligation in obligations_for(partner(1), partner(2)))


def codes(*flags: CategoryFlags) -> list[str]:
    """The codes beyond the three general ones, for categories with these flags."""
    categories = [msgspec.structs.replace(IDENTITY, flags=flag) for flag in flags]
    return [obligation.code for obligation in obligations_for(partner(1), partner(2), categories)[3:]]


def test_flags_of_what_passes_oblige() -> None:
    """Each flag of a permitted category adds its obligation once; plain categories add none."""
    plain, proxy = CategoryFlags(), CategoryFlags(proxy_for="origin")
    harm, social = CategoryFlags(high_harm=True), CategoryFlags(social_data=True)
    assert codes() == codes(plain, plain) == []
    assert codes(plain, proxy) == ["no_inference"]
    assert codes(harm, plain) == ["handle_as_sensitive"]
    assert codes(social, plain) == ["social_secrecy"]
    assert codes(social, harm, proxy, proxy, harm) == ["no_inference", "handle_as_sensitive", "social_secrecy"]


def test_what_must_not_be_inferred_is_named() -> None:
    """The obligation names what must not be inferred, in German if there is a word for it, each once."""
    flags = [CategoryFlags(proxy_for=proxy) for proxy in ("origin", "ethnic origin", "Religion", "origin")]
    categories = [msgspec.structs.replace(IDENTITY, flags=flag) for flag in flags]
    (found,) = obligations_for(partner(1), partner(2), categories)[3:]
    assert "auf die Herkunft und die ethnische Herkunft und Religion schließen" in found.text
