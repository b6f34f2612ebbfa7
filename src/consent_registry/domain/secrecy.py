"""Professional secrecy (§ 203 StGB): what a release frees."""

from datetime import datetime

import msgspec


class Release(msgspec.Struct, frozen=True):
    """A release from professional secrecy (§ 203 StGB) of `holder_id` towards `towards_id`, as far as a grant needs it.
    A limit that is None is the grant's own: its purpose, its categories, its end.
    """

    holder_id: int
    towards_id: int
    live: bool
    purpose_ids: frozenset[int] | None = None
    category_ids: frozenset[int] | None = None
    valid_until: datetime | None = None

    def frees(self, flow: tuple[int, int, int], category_id: int, now: datetime) -> bool:
        """Whether it releases the sender of this flow (sender, recipient, purpose) towards its recipient for this
        category now.
        """
        return (
            self.live
            and (self.holder_id, self.towards_id) == flow[:2]
            and (self.purpose_ids is None or flow[2] in self.purpose_ids)
            and (self.category_ids is None or category_id in self.category_ids)
            and (self.valid_until is None or now < self.valid_until)
        )
