-- Why: each act's changes are looked for by the act, where retention asks what an event tells of.
-- Survives the previous release: yes.

create index grant_changes_act_idx on registry.grant_changes (network_id, act_id);
create index release_changes_act_idx on registry.release_changes (network_id, act_id);
