-- Why: reconciliation looks for withdrawals that were recorded in a period, and for what had been sent before they were:
-- found by their own time, however many changes there are.
-- Survives the previous release: yes.

create index grant_changes_withdrawn_idx on grant_changes (network_id, recorded_at) where kind = 'withdrawn';
create index release_changes_withdrawn_idx on release_changes (network_id, recorded_at) where kind = 'withdrawn';
