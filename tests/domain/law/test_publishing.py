"""What a text must show to be published: every row of the checklist, its names, its characters and its days."""

from datetime import date, timedelta

import msgspec
import pytest

from consent_registry.domain.catalogue import Aliases, Cover
from consent_registry.domain.law.checklist import CHECKLIST, ChecklistRow
from consent_registry.domain.law.codes import INFORMS
from consent_registry.domain.law.publishing import ProposedText, TextSurroundings, publication_refusals
from consent_registry.domain.law.sentences import BLANKET
from tests.support.small_network import covers, entries, small_network
from tests.support.texts import FRAME, REQUIRED, SENTENCES, german, text_of, translation

TODAY = date(2026, 11, 30)
PUBLIC = [msgspec.structs.replace(partner, regime="dsg_nrw") for partner in entries().partners]
GERMAN_NAMES = entries().named("de")
POINTERS = {language: f"/languages/{language}" for language in ("de", "en", "ar")}


def around(*, public: bool = True) -> TextSurroundings:
    """The small network, of public offices."""
    plan = small_network()
    partners = PUBLIC if public else plan.partners
    flows = [flow for agreement in plan.agreements for flow in agreement.flows]
    return TextSurroundings.of(partners, plan.purposes, plan.categories, flows)


def rules(text: ProposedText, *, public: bool = True, today: date = TODAY) -> set[tuple[str, str, str]]:
    """Rule, pointer and norm of each fault of a text."""
    faults = publication_refusals(text, around(public=public), POINTERS, today)
    return {(fault.rule or "", fault.pointer, fault.norm or "") for fault in faults}


def text(**members: object) -> ProposedText:
    """A text that may be published, with other members."""
    return msgspec.structs.replace(text_of(entries(), covers()), **members)


def in_german(content: str, **members: object) -> ProposedText:
    """The text with these German bytes alone."""
    return text(languages={"de": content.encode()}, **members)


def test_a_text_with_all_of_it_is_published() -> None:
    """Control: nothing is refused of a whole text, with and without a translation."""
    assert rules(text()) == set()
    assert rules(in_german(german(GERMAN_NAMES))) == set()


@pytest.mark.parametrize("row", [row for row in CHECKLIST if row.code is not None], ids=lambda row: row.item)
def test_a_code_of_the_checklist_must_be_stated(row: ChecklistRow) -> None:
    """A text that informs of all codes but this one is refused, with the row's norm; not before the row's first day."""
    lacking = text(informs=[code for code in INFORMS if code != row.code], form_sha256=None, in_use_since=TODAY)
    assert rules(lacking) == {("text_checklist", "/informs", "; ".join(row.norms))}
    before = row.since - timedelta(days=1)
    assert not any(rule == "text_checklist" for rule, _, _ in rules(lacking, today=before))
    old_form = text(informs=lacking.informs)
    assert bool(rules(old_form)) is not row.of_the_registry


@pytest.mark.parametrize("row", [row for row in CHECKLIST if row.code is None], ids=lambda row: row.item)
def test_a_sentence_of_the_checklist_must_be_there(row: ChecklistRow) -> None:
    """Without the sentence on direction and duration the text is refused, with the row's norm."""
    words = {"direction": ("nur in dieser Richtung", "immer"), "duration": ("24 Monate lang", "lange")}[row.item]
    assert words[0] in FRAME
    content = german(GERMAN_NAMES).replace(*words).replace("drei Jahre", "lange")
    assert rules(in_german(content)) == {("text_checklist", "/languages/de", "; ".join(row.norms))}


@pytest.mark.parametrize("code", REQUIRED)
def test_what_is_required_depends_on_what_is_covered(code: str) -> None:
    """What special data and public bodies ask for is asked of no other text."""
    plain = [Cover(cover.sender, cover.recipient, cover.purpose, ("identity",)) for cover in covers()]
    lacking = text(informs=[point for point in INFORMS if point != code], covers=tuple(plain), form_sha256="0" * 64)
    found = {rule for rule, _, _ in rules(lacking, public=False)}
    assert found == (
        set() if code in {"special_explicit", "statute_beside_consent", "registry"} else {"text_checklist"}
    )


@pytest.mark.parametrize("code", INFORMS)
def test_a_stated_code_must_be_found(code: str) -> None:
    """A text that says it informs of a code, and has no sentence of it, is refused at that code."""
    content = german(GERMAN_NAMES, [point for point in INFORMS if point != code])
    if code in {"purpose", "recipients", "minors", "storage"}:
        content = content.replace("Zweck", "Grund").replace("Stelle", "Behörde").replace("Kinder", "andere")
    found = rules(in_german(content))
    place = f"/informs/{INFORMS.index(code)}"
    assert ("text_informs", place, "Art. 7 Abs. 1 DSGVO") in found or SENTENCES[code] in content  # type: ignore[index]


@pytest.mark.parametrize("name", GERMAN_NAMES)
def test_each_partner_purpose_and_category_is_named(name: str) -> None:
    """A text in which one name is missing is refused in that language; a name within a longer word is none."""
    for wrong in (
        [known for known in GERMAN_NAMES if known != name],
        [f"x{known}" if known == name else known for known in GERMAN_NAMES],
    ):
        faults = rules(in_german(german(wrong)))
        assert {(rule, pointer) for rule, pointer, _ in faults} == {("text_names", "/languages/de")}
        assert all(norm for _, _, norm in faults)


def test_a_name_may_leave_its_bracket_out_and_may_be_an_alias() -> None:
    """`identity (de)` is named by `Identity`, in any case and across line ends, or by an alias of the language."""
    short = [name.replace(" (de)", "").upper().replace("OFFICE ", "OFFICE\n") for name in GERMAN_NAMES]
    assert rules(in_german(german(short))) == set()
    renamed = [name.replace("debts (de)", "Geld vom Amt") for name in GERMAN_NAMES]
    assert {rule for rule, _, _ in rules(in_german(german(renamed)))} == {"text_names"}
    alias = {"de": Aliases(categories={"debts": ("geld vom amt",)})}
    assert rules(in_german(german(renamed), aliases=alias)) == set()
    elsewhere = {"en": alias["de"]}
    assert {rule for rule, _, _ in rules(in_german(german(renamed), aliases=elsewhere))} == {"text_names"}


def test_a_translation_names_what_it_covers_in_its_own_language() -> None:
    """English by the catalogue's English names, Arabic by aliases alone."""
    whole = {"de": german(GERMAN_NAMES).encode(), "en": translation("en", GERMAN_NAMES).encode()}
    assert {(rule, pointer) for rule, pointer, _ in rules(text(languages=whole))} == set(), "the bracket is left out"
    bare = {"de": whole["de"], "en": translation("en", entries().named("de")[:4]).encode()}
    assert {pointer for _, pointer, _ in rules(text(languages=bare))} == {"/languages/en"}
    arabic = {"de": whole["de"], "ar": translation("ar", GERMAN_NAMES).encode()}
    assert {pointer for _, pointer, _ in rules(text(languages=arabic))} == {"/languages/ar"}
    assert rules(text(languages=arabic, aliases={"ar": entries().aliases()})) == set()


@pytest.mark.parametrize(
    "character", ["\x00", "\x07", "\x1b", "\x85", "\u200b", "\u200e", "\u202e", "\u2066", "\ufeff", "\xad"]
)
def test_hidden_characters_are_refused(character: str) -> None:
    """Control, direction and format characters are refused in each language, by their number."""
    for language in ("de", "en"):
        content = text().languages[language].decode().replace(".", f".{character}", 1)
        found = rules(text(languages={**text().languages, language: content.encode()}))
        assert ("text_characters", f"/languages/{language}", "Art. 7 Abs. 1 DSGVO") in found


@pytest.mark.parametrize("kept", ["\n", "\r\n", "\t", "\u200c", "\u200d"])
def test_line_ends_and_joiners_are_text(kept: str) -> None:
    """Line ends and tabs are layout, and joiners belong to Persian and Kurdish words."""
    assert rules(in_german(german(GERMAN_NAMES) + f"a{kept}b")) == set()


def test_a_text_is_in_composed_form() -> None:
    """A letter and its accent apart are refused."""
    assert {rule for rule, _, _ in rules(in_german(german(GERMAN_NAMES) + "e\u0301"))} == {"text_characters"}


@pytest.mark.parametrize(("length", "refused"), [(499, True), (500, False), (40_000, False), (40_001, True)])
def test_a_text_has_a_length(length: int, refused: bool) -> None:
    """500 to 40,000 characters, both included."""
    content = translation("en", entries().named("en")).rstrip(".\n")
    found = rules(text(languages={"de": text().languages["de"], "en": content.ljust(length, ".").encode()}))
    assert found == ({("text_length", "/languages/en", "Art. 7 Abs. 1 DSGVO")} if refused else set())


@pytest.mark.parametrize("phrase", BLANKET)
def test_a_blanket_phrase_is_refused(phrase: str) -> None:
    """Whatever else the text says."""
    found = rules(in_german(german(GERMAN_NAMES) + f"Wir senden {phrase.upper()}.\n"))
    assert found == {("text_blanket", "/languages/de", "Art. 4 Nr. 11 DSGVO")}


def test_no_text_asks_about_what_a_statute_allows() -> None:
    """Each category of a statutory flow is refused at its place; another purpose or direction is not."""
    asked = Cover("south", "east", "housing", ("contact", "identity", "debts"))
    found = rules(text(covers=(*covers(), asked)))
    place = f"/covers/{len(covers())}/categories"
    norm = "Art. 5 Abs. 1 lit. a DSGVO"
    assert found == {("text_statutory", f"{place}/1", norm), ("text_statutory", f"{place}/2", norm)}


def test_an_earlier_first_day_needs_the_form() -> None:
    """Today and later need no form; yesterday does. The last day may be the first, and not before."""

    def days(since: date | None, until: date | None = None, form: str | None = None) -> set[str]:
        return {rule for rule, _, _ in rules(text(in_use_since=since, in_use_until=until, form_sha256=form))}

    yesterday = TODAY - timedelta(days=1)
    assert days(None) == days(TODAY) == days(TODAY + timedelta(days=40)) == set()
    assert days(yesterday) == {"text_form"}
    assert days(yesterday, form="0" * 64) == set()
    assert days(None, TODAY) == set()
    assert days(None, yesterday) == days(TODAY, yesterday) == {"text_days"}


def test_a_recipe_for_pancakes_permits_nothing() -> None:
    """The issue's text: it names nothing, informs of nothing, and is refused for all of it."""
    recipe = "Pfannkuchen: Mehl, Eier und Milch verrühren. ".ljust(600, "z")
    found = {rule for rule, _, _ in rules(in_german(recipe, informs=("withdrawal",)))}
    assert found == {"text_names", "text_informs", "text_checklist"}
