"""What schemathesis is told beside the description: a key of its own for each call, and which refusals are right."""

import re
import secrets
from typing import Any

import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.contract.expected import MALFORMED

PROPOSED = "5f0c2e7e-7d0a-4c4b-9a52-1f6f3b0a4d11"


@schemathesis.hook
def before_call(context: Any, case: Any, **_: Any) -> None:  # noqa: ANN401, ARG001 - as schemathesis calls it
    """Two acts that share the example's key would be one act with two bodies, which is refused before anything else."""
    if case.headers and case.headers.get("Idempotency-Key") == PROPOSED:
        case.headers["Idempotency-Key"] = secrets.token_hex(16)


@schemathesis.check
def accepted_or_refused_for_a_reason(ctx: Any, response: Any, case: Any) -> None:  # noqa: ANN401 - as above
    """A request of the form described is taken, or each of its faults is one that no schema can ask for."""
    try:
        positive_data_acceptance(ctx, response, case)
    except AssertionError:
        problem = response.json()
        if response.status_code == 422 and all(fault.get("rule") for fault in problem.get("errors", [{}])):
            return
        faults = problem.get("errors", [])
        if faults and all(any(re.search(each, fault["detail"]) for each in MALFORMED) for fault in faults):
            return
        raise
