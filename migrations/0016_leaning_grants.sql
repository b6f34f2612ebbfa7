-- Why: a withdrawal also counts for the grants that lean on the withdrawn one. Reconciliation finds a partner's grants
-- that lean on others, which are few, without reading those that do not.
-- Survives the previous release: yes.

create index grants_leaning_idx on grants (network_id, sender_id) where third_party_grants is not null;
