"""The five network documents, their catalogue and the texts shown to clients."""

import re
import unicodedata

import pytest

from consent_registry.demo.documents import (
    FOLDER,
    SLUGS,
    read_catalogue,
    read_network,
    read_text,
)
from consent_registry.operations.catalogue.network_document import (
    DeclaredFlow,
    DeclaredPartner,
    NetworkDocument,
)

WITH_FLOWS = tuple(slug for slug in SLUGS if slug != "widunetz")
PARTNERS = {"kreis-herford": 4, "paderborn": 6, "widunetz": 22, "kreis-wesel": 6, "herne": 6}
LANGUAGES = ("de", "en", "ar", "uk", "tr")
REGIMES = {"sgb_x", "gdpr_bdsg", "dsg_nrw", "kdg", "dsg_ekd"}
# Each was looked up; a norm that is not here has to be looked up before it is added.
NORMS = {
    "§ 69 Abs. 1 Nr. 1 SGB X",
    "§ 71 Abs. 2 SGB X",
    "§ 50 Abs. 1 SGB II",
    "§ 8 IntV",
    "§ 18 Abs. 2 Satz 1 SGB XII",
    "§ 16 Abs. 2 Satz 1 SGB I",
}
DEMONSTRATION_MARK = {
    "de": "Demonstrationstext, nicht rechtlich geprüft.",
    "en": "Demonstration text, not legally reviewed.",
    "ar": "نص للعرض التوضيحي، لم تتم مراجعته قانونيًا.",
    "uk": "Демонстраційний текст, юридично не перевірений.",
    "tr": "Tanıtım amaçlı metindir, hukuki açıdan incelenmemiştir.",  # noqa: RUF001 - Turkish letters
}
SCRIPT = {"de": "LATIN", "en": "LATIN", "ar": "ARABIC", "uk": "CYRILLIC", "tr": "LATIN"}
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")

every_network = pytest.mark.parametrize("slug", SLUGS)
with_flows = pytest.mark.parametrize("slug", WITH_FLOWS)
every_text = pytest.mark.parametrize(
    ("slug", "language"), [(s, language) for s in WITH_FLOWS for language in LANGUAGES]
)


def _flows_of(document: NetworkDocument, basis: str) -> list[DeclaredFlow]:
    return [flow for agreement in document.agreements for flow in agreement.flows if flow.basis == basis]


def _partners_of(document: NetworkDocument) -> dict[str, DeclaredPartner]:
    return {partner.slug: partner for partner in document.partners}


def _text_of(slug: str, language: str) -> str:
    return read_text(read_network(slug).texts[0].languages[language]).decode("utf-8")


@every_network
def test_document_names_its_own_slug_and_all_partners(slug: str) -> None:
    """Each document has the slug of its file name, and every partner once."""
    document = read_network(slug)
    assert document.network.slug == slug
    assert len(_partners_of(document)) == len(document.partners) == PARTNERS[slug]


@every_network
def test_partners_have_known_regimes_and_well_formed_slugs(slug: str) -> None:
    """Every partner that can send or receive has a regime; only the project group has no regime and organisation."""
    for partner in read_network(slug).partners:
        assert SLUG.fullmatch(partner.slug)
        assert partner.selectable == (partner.regime in REGIMES) == (partner.organisation is not None)
    assert [p.slug for p in read_network(slug).partners if not p.selectable] == (
        ["projektgruppe-widunetz"] if slug == "widunetz" else []
    )


def test_catalogue_is_one_file_that_all_networks_share() -> None:
    """All five documents refer to the same catalogue, which names everything in German and English."""
    assert {read_network(slug).catalogue for slug in SLUGS} == {"catalogue.json"}
    catalogue = read_catalogue(read_network("herne"))
    for entries in (catalogue.data_categories, catalogue.purposes):
        assert all(SLUG.fullmatch(entry.slug) for entry in entries)
        assert all(entry.name.de and entry.name.en for entry in entries)
    assert len(catalogue.data_categories) == 15
    assert len(catalogue.purposes) == 13


def test_no_purpose_allows_what_is_not_to_be_shared() -> None:
    """Counselling records and protected identities belong to no purpose."""
    catalogue = read_catalogue(read_network("herne"))
    known = {category.slug for category in catalogue.data_categories}
    for purpose in catalogue.purposes:
        assert set(purpose.categories) <= known - {"counselling-record", "protected-identity"}


@with_flows
def test_enough_flows_of_both_kinds(slug: str) -> None:
    """Each network with flows has at least six on consent and two on a statute."""
    assert len(_flows_of(read_network(slug), "consent")) >= 6
    assert len(_flows_of(read_network(slug), "statute")) >= 2


def test_widunetz_starts_without_any_flow() -> None:
    """The agreement of widunetz has no flows, and there is no text to sign."""
    document = read_network("widunetz")
    assert [agreement.flows for agreement in document.agreements] == [()]
    assert document.texts == ()


@every_network
def test_flows_stay_within_partners_and_purposes(slug: str) -> None:
    """A flow joins two different selectable partners and has only categories of its purpose."""
    document = read_network(slug)
    partners = _partners_of(document)
    allowed = {purpose.slug: set(purpose.categories) for purpose in read_catalogue(document).purposes}
    for flow in (*_flows_of(document, "consent"), *_flows_of(document, "statute")):
        assert flow.sender != flow.recipient
        assert partners[flow.sender].selectable
        assert partners[flow.recipient].selectable
        assert flow.categories
        assert set(flow.categories) <= allowed[flow.purpose]
        assert len(set(flow.categories)) == len(flow.categories)


@every_network
def test_statutory_flows_name_a_norm_and_consent_flows_none(slug: str) -> None:
    """Every statutory flow names a norm that was looked up; a flow on consent names none."""
    document = read_network(slug)
    assert {flow.norm for flow in _flows_of(document, "statute")} <= NORMS
    assert {flow.norm for flow in _flows_of(document, "consent")} <= {None}


@every_network
def test_no_category_is_statutory_and_consented_in_the_same_flow(slug: str) -> None:
    """No client is asked for consent where a statute applies."""
    seen: dict[tuple[str, str, str, str], str] = {}
    document = read_network(slug)
    for flow in (*_flows_of(document, "consent"), *_flows_of(document, "statute")):
        for category in flow.categories:
            key = (flow.sender, flow.recipient, flow.purpose, category)
            assert key not in seen
            seen[key] = flow.basis


@every_network
def test_isolated_partners_take_no_part_in_consent(slug: str) -> None:
    """No flow on consent leads to or from a foreigners' authority."""
    document = read_network(slug)
    partners = _partners_of(document)
    for flow in _flows_of(document, "consent"):
        assert not partners[flow.sender].isolated
        assert not partners[flow.recipient].isolated


@every_network
def test_agreements_are_marked_as_assumptions_without_invented_dates(slug: str) -> None:
    """Dates that the public texts lack are empty, assumed flows are marked, and the reasons are given."""
    document = read_network(slug)
    for agreement in document.agreements:
        assert agreement.assumption
        assert agreement.valid_from is agreement.valid_until is None
    assert len(document.assumptions) >= 4
    assert all(sentence.endswith(".") for sentence in document.assumptions)


def test_what_the_networks_are_known_for_is_in_their_documents() -> None:
    """Wesel demands interpreters and has three coordinating towns; Herford's isolated unit is marked as assumed."""
    wesel, herford = read_network("kreis-wesel"), read_network("kreis-herford")
    assert wesel.network.policies.interpreter_required
    assert {p.organisation for p in wesel.partners if p.coordinating_post} == {
        "Stadt Dinslaken",
        "Stadt Moers",
        "Stadt Wesel",
    }
    assert [p.slug for p in herford.partners if p.assumption] == ["kreis-herford-sicherheit-ordnung"]


@with_flows
def test_texts_exist_in_five_languages(slug: str) -> None:
    """Each network with flows has its text in exactly five languages."""
    (text,) = read_network(slug).texts
    assert text.version == "2026-1"
    assert text.languages == {language: f"texts/{slug}/{language}.txt" for language in LANGUAGES}
    files = {path.name for path in (FOLDER / "texts" / slug).iterdir()}
    assert files == {f"{language}.txt" for language in LANGUAGES}


@every_text
def test_text_is_plain_and_normalised(slug: str, language: str) -> None:
    """A text is UTF-8 in NFC with LF ends, without control characters or a byte-order mark, 40 to 80 lines long."""
    text = _text_of(slug, language)
    assert text == unicodedata.normalize("NFC", text)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert 40 <= text.count("\n") <= 80
    assert {c for c in text if unicodedata.category(c) == "Cc"} == {"\n"}
    assert all(line == line.strip() for line in text.splitlines())


@every_text
def test_text_is_marked_as_demonstration_at_its_end(slug: str, language: str) -> None:
    """The last line states in the client's language that no lawyer has reviewed the text."""
    assert _text_of(slug, language).splitlines()[-1].startswith(DEMONSTRATION_MARK[language])


@every_text
def test_text_names_every_sender_recipient_and_flow(slug: str, language: str) -> None:
    """Each direction has a line with both offices by name, followed by as many purposes as the agreement has flows."""
    document = read_network(slug)
    partners = _partners_of(document)
    lines = _text_of(slug, language).splitlines()
    purposes: dict[tuple[str, str], int] = {}
    for flow in _flows_of(document, "consent"):
        pair = (partners[flow.sender].name, partners[flow.recipient].name)
        purposes[pair] = purposes.get(pair, 0) + 1
    for (sender, recipient), amount in purposes.items():
        (place,) = [
            number
            for number, line in enumerate(lines)
            if sender in line and recipient in line and line.index(sender) < line.index(recipient)
        ]
        following = lines[place + 1 : place + 2 + amount]
        assert [line.startswith("- ") for line in following] == [True] * amount + [False]


@pytest.mark.parametrize("language", ["de", "en"])
@with_flows
def test_text_names_exactly_the_categories_of_each_flow(slug: str, language: str) -> None:
    """In German and English the line of each flow has its purpose and its categories in the catalogue's words."""
    document = read_network(slug)
    catalogue = read_catalogue(document)
    purposes = {purpose.slug: getattr(purpose.name, language) for purpose in catalogue.purposes}
    categories = {
        category.slug: getattr(category.name, language).split(" (")[0] for category in catalogue.data_categories
    }
    expected = [
        f"- {purposes[flow.purpose]}: {'; '.join(categories[category] for category in flow.categories)}"
        for flow in _flows_of(document, "consent")
    ]
    lines = _text_of(slug, language).splitlines()
    assert sorted(line for line in lines if line in set(expected)) == sorted(expected)


@every_text
def test_languages_say_the_same_in_as_many_lines(slug: str, language: str) -> None:
    """A translation has as many lines as the German text: no section, flow or complaint body is missing."""
    german = _text_of(slug, "de").splitlines()
    lines = _text_of(slug, language).splitlines()
    assert [bool(line) for line in lines] == [bool(line) for line in german]
    assert [line[:2] == "- " for line in lines] == [line[:2] == "- " for line in german]
    assert [line[:3] for line in lines if line[:1].isdigit()][0:1] == ["1. "]
    for sign in ("24", "§ 71 SGB X", "§ 87 AufenthG", "LDI NRW"):
        assert sign in _text_of(slug, language)


@every_text
def test_text_is_written_in_its_own_script(slug: str, language: str) -> None:
    """Most letters belong to the language's script; offices' names are Latin, and no character changes a direction."""
    text = _text_of(slug, language)
    letters = [unicodedata.name(c).split()[0] for c in text if c.isalpha()]
    assert letters.count(SCRIPT[language]) > 0.7 * len(letters)
    assert not [character for character in text if unicodedata.category(character) == "Cf"]
