-- Why: reconciliation looks for grants that were declared void in a period, and for what had been sent on them before:
-- found by their own time, as withdrawals are, however many changes there are.
-- Survives the previous release: yes.

create index grant_changes_invalidated_idx on grant_changes (network_id, recorded_at) where kind = 'invalidated';
