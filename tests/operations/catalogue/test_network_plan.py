"""What no network's document may contain: flows and purposes that its flags forbid, unknown flags, reserved slugs."""

import json
from pathlib import Path
from shutil import copytree

import msgspec
import pytest

from consent_registry.demo import documents
from consent_registry.domain.errors import Refused
from consent_registry.operations.catalogue import network_document
from consent_registry.operations.catalogue.network_plan import AgreementPlan, NetworkPlan, plan_faults
from consent_registry.operations.catalogue.network_setup import establish_network
from tests.support.flag_network import FLOWS, flag_network, flows, parts
from tests.support.installation import Registry


def with_flow(*flow: tuple[str, str, str, tuple[str, ...]]) -> NetworkPlan:
    """The plan of the `flags` network with further flows."""
    plan = flag_network()
    category_ids = {category.slug: category.category_id for category in plan.categories}
    wanted = flows((*FLOWS, *flow), plan.partners, plan.purposes, category_ids)
    return flag_network(agreements=[AgreementPlan("1", None, None, wanted)])


def test_a_good_plan_has_no_fault() -> None:
    """The plan of the `flags` network has no fault."""
    assert list(plan_faults(flag_network())) == []


@pytest.mark.parametrize(
    ("flow", "rule", "word"),
    [
        (("aid", "youth", "appointment", ("identity", "counselling-record")), "never_shared", "counselling-record"),
        (("debts", "jobcenter", "debt-advice", ("identity", "finances")), "attendance_only", "finances"),
        (("debts", "aid", "debt-advice", ("finances",)), "attendance_only", "finances"),
    ],
)
def test_a_flow_that_its_flags_forbid(flow: tuple[str, str, str, tuple[str, ...]], rule: str, word: str) -> None:
    """A flow that the flags forbid is a fault with its pointer, norm and category."""
    faults = list(plan_faults(with_flow(flow)))
    # If each side sends the other more than attendance, either may be the advice office, so both flows are faults.
    assert {fault.rule for fault in faults} == {rule}
    assert faults[-1].pointer == f"/agreements/0/flows/{len(FLOWS)}/categories"
    assert all(word in fault.detail and fault.norm for fault in faults)


def test_a_purpose_that_its_flags_forbid() -> None:
    """A purpose that lists a category that is never shared is a fault, as is a purpose that is none."""
    categories, purposes = parts()
    record = next(category.category_id for category in categories if category.slug == "counselling-record")
    wide = msgspec.structs.replace(purposes[0], category_ids=purposes[0].category_ids | {record})
    none = msgspec.structs.replace(purposes[1], slug="statistics")
    faults = list(plan_faults(flag_network(purposes=[wide, none, *purposes[2:]])))
    assert [(fault.rule, fault.pointer) for fault in faults] == [
        ("never_shared", "/purposes/0/categories"),
        ("not_a_purpose", "/purposes/1/slug"),
    ]


@pytest.mark.parametrize("slug", ["all", "administration"])
def test_a_partner_is_not_called_like_the_whole_log(slug: str) -> None:
    """A reserved word is no slug of a partner; a longer slug that begins with one is allowed."""
    plan = flag_network()
    named = [msgspec.structs.replace(plan.partners[0], slug=f"{slug}-2"), *plan.partners[1:]]
    assert list(plan_faults(msgspec.structs.replace(plan, partners=named))) == []
    named[1] = msgspec.structs.replace(named[1], slug=slug)
    (fault,) = plan_faults(msgspec.structs.replace(plan, partners=named))
    assert (fault.pointer, fault.rule) == ("/partners/1/slug", "reserved_slug")
    assert repr(slug) in fault.detail


async def test_such_a_network_is_not_set_up(registry: Registry) -> None:
    """A plan with a fault is refused as a whole: no network is there afterwards."""
    runtime = registry.app.state.shared.runtime
    plan = with_flow(("debts", "jobcenter", "debt-advice", ()))
    with pytest.raises(Refused) as refused:
        await establish_network(runtime, plan)
    assert {fault.rule for fault in refused.value.faults} == {"attendance_only"}
    assert plan.network.slug not in {network.slug for network in await runtime.networks()}


@pytest.mark.parametrize(
    ("place", "member"),
    [("data_categories", "flags"), ("purposes", "flags"), ("network", "policies"), ("partners", None)],
)
def test_an_unknown_flag_is_refused_by_its_name(tmp_path: Path, place: str, member: str | None) -> None:
    """An unknown flag, policy or mark is refused by its name and never ignored."""
    copytree(documents.FOLDER, tmp_path / "folder")
    path = tmp_path / "folder" / ("catalogue.json" if member == "flags" else "networks/herne.json")
    content = json.loads(path.read_bytes())
    entry = content[place] if place == "network" else content[place][0]
    (entry if member is None else entry.setdefault(member, {}))["shiny"] = True
    path.write_text(json.dumps(content), encoding="utf-8")
    folder = tmp_path / "folder"
    with pytest.raises(msgspec.ValidationError, match="shiny"):
        network_document.read_catalogue(network_document.read_network("herne", folder), folder)
