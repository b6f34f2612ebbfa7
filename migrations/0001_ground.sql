-- Why: the first shape of the registry: networks and their catalogue, credentials, clients, consents, withdrawals,
-- transfers, stored answers, and one append-only log per network.
-- Survives the previous release: there is none.
--
-- Conventions. Every tenant table's key begins with network_id and every statement names it, so that a network can live
-- on a node of its own. {app}, {owner} and the like are replaced by the role names of this installation. Row-level
-- security is forced: without `registry.network` there are no rows; partner tables are also cut down to
-- `registry.partners`, the partners on whose behalf this transaction runs. The settings read as '' after a transaction
-- that had them, hence nullif().

create table networks (
    network_id integer not null,
    slug text collate "C" not null,
    name text not null,
    about text not null,
    log_origin text collate "C" not null,
    demonstration boolean not null,
    created_at timestamptz not null,
    constraint networks_pkey primary key (network_id),
    constraint networks_slug_key unique (slug),
    constraint networks_log_origin_key unique (log_origin),
    -- Advisory locks carry the network in 20 bits beside their class.
    constraint networks_network_id_check check (network_id between 1 and 1048575)
);

-- Each change of the catalogue adds a row, under the catalogue lock. A process keeps its picture of the catalogue and
-- compares this number under the same lock before it relies on it.
create table catalogue_versions (
    network_id integer not null references networks,
    version integer not null,
    recorded_at timestamptz not null,
    constraint catalogue_versions_pkey primary key (network_id, version)
);

create table partners (
    network_id integer not null references networks,
    partner_id integer not null,
    slug text collate "C" not null,
    name text not null,
    organisation text,
    kind text not null,
    regime text,
    secrecy_holder boolean not null,
    selectable boolean not null,
    isolated boolean not null,
    coordinating_post boolean not null,
    recorded_at timestamptz not null,
    constraint partners_pkey primary key (network_id, partner_id),
    constraint partners_slug_key unique (network_id, slug),
    constraint partners_regime_check check (regime in ('sgb_x', 'gdpr_bdsg', 'dsg_nrw', 'kdg', 'dsg_ekd')),
    constraint partners_selectable_check check (not selectable or (organisation is not null and regime is not null))
);

create table suspensions (
    network_id integer not null,
    suspension_id uuid not null,
    partner_id integer not null,
    recorded_at timestamptz not null,
    constraint suspensions_pkey primary key (network_id, suspension_id),
    constraint suspensions_partner_fkey foreign key (network_id, partner_id) references partners
);

create table reinstatements (
    network_id integer not null,
    reinstatement_id uuid not null,
    suspension_id uuid not null,
    recorded_at timestamptz not null,
    constraint reinstatements_pkey primary key (network_id, reinstatement_id),
    constraint reinstatements_suspension_key unique (network_id, suspension_id),
    constraint reinstatements_suspension_fkey foreign key (network_id, suspension_id) references suspensions
);

create table data_categories (
    network_id integer not null references networks,
    category_id smallint not null,
    slug text collate "C" not null,
    name_de text not null,
    name_en text not null,
    special boolean not null,
    secrecy boolean not null,
    constraint data_categories_pkey primary key (network_id, category_id),
    constraint data_categories_slug_key unique (network_id, slug)
);

create table purposes (
    network_id integer not null references networks,
    purpose_id smallint not null,
    slug text collate "C" not null,
    name_de text not null,
    name_en text not null,
    category_ids smallint[] not null,
    constraint purposes_pkey primary key (network_id, purpose_id),
    constraint purposes_slug_key unique (network_id, slug)
);

create table agreements (
    network_id integer not null references networks,
    agreement_id uuid not null,
    version text not null,
    valid_from timestamptz,
    valid_until timestamptz,
    recorded_at timestamptz not null,
    constraint agreements_pkey primary key (network_id, agreement_id),
    constraint agreements_version_key unique (network_id, version),
    constraint agreements_validity_check check (valid_from < valid_until)
);

create table agreement_endings (
    network_id integer not null,
    agreement_id uuid not null,
    recorded_at timestamptz not null,
    constraint agreement_endings_pkey primary key (network_id, agreement_id),
    constraint agreement_endings_agreement_fkey foreign key (network_id, agreement_id) references agreements
);

create table flows (
    network_id integer not null,
    agreement_id uuid not null,
    flow_number integer not null,
    sender_id integer not null,
    recipient_id integer not null,
    purpose_id smallint not null,
    category_ids smallint[] not null,
    basis text not null,
    norm text,
    constraint flows_pkey primary key (network_id, agreement_id, flow_number),
    constraint flows_agreement_fkey foreign key (network_id, agreement_id) references agreements,
    constraint flows_sender_fkey foreign key (network_id, sender_id) references partners,
    constraint flows_recipient_fkey foreign key (network_id, recipient_id) references partners,
    constraint flows_purpose_fkey foreign key (network_id, purpose_id) references purposes,
    constraint flows_direction_check check (sender_id <> recipient_id),
    constraint flows_basis_check check (basis = 'consent' and norm is null or basis = 'statute' and norm is not null)
);

-- A published text never changes: a new wording is a new version.
create table texts (
    network_id integer not null references networks,
    text_id uuid not null,
    version text not null,
    recorded_at timestamptz not null,
    constraint texts_pkey primary key (network_id, text_id),
    constraint texts_version_key unique (network_id, version)
);

create table text_languages (
    network_id integer not null,
    text_id uuid not null,
    language text collate "C" not null,
    content bytea not null,
    sha256 bytea not null,
    translation_of bytea not null,
    constraint text_languages_pkey primary key (network_id, text_id, language),
    constraint text_languages_text_fkey foreign key (network_id, text_id) references texts,
    constraint text_languages_sha256_check check (sha256 = pg_catalog.sha256(content))
);

-- Secrets are machine-made (256 bits) and kept as a keyed hash only. partner_id is null for the network's administration.
create table credentials (
    network_id integer not null references networks,
    client_id text collate "C" not null,
    partner_id integer,
    scopes text[] not null,
    secret_key text collate "C" not null,
    secret_mac bytea not null,
    recorded_at timestamptz not null,
    constraint credentials_pkey primary key (network_id, client_id),
    constraint credentials_partner_fkey foreign key (network_id, partner_id) references partners
);

create table credential_revocations (
    network_id integer not null,
    client_id text collate "C" not null,
    recorded_at timestamptz not null,
    constraint credential_revocations_pkey primary key (network_id, client_id),
    constraint credential_revocations_credential_fkey foreign key (network_id, client_id) references credentials
);

create table clients (
    network_id integer not null references networks,
    client_id uuid not null,
    recorded_at timestamptz not null,
    constraint clients_pkey primary key (network_id, client_id)
);

-- A reference is kept twice: as a keyed digest to find it, and sealed to show it to its own partner.
create table client_references (
    network_id integer not null,
    partner_id integer not null,
    digest bytea not null,
    digest_key text collate "C" not null,
    client_id uuid not null,
    sealed bytea not null,
    recorded_at timestamptz not null,
    constraint client_references_pkey primary key (network_id, partner_id, digest),
    constraint client_references_partner_fkey foreign key (network_id, partner_id) references partners,
    constraint client_references_client_fkey foreign key (network_id, client_id) references clients
);
create index client_references_client_idx on client_references (network_id, client_id);

create table consents (
    network_id integer not null,
    consent_id uuid not null,
    client_id uuid not null,
    recorder_id integer not null,
    partner_ids integer[] not null,
    text_id uuid not null,
    language text collate "C" not null,
    giver_role text not null,
    giver_age_band text,
    giver_insight_assessed_by text,
    giver_mandate_until timestamptz,
    method text not null,
    special_circumstances text,
    evidence_sha256 bytea,
    evidence_media_type text,
    evidence_kept_at bytea,
    explained_by text not null,
    interpreter_kind text not null,
    interpreter_language text,
    told text[] not null,
    copy_handed boolean,
    given_at timestamptz not null,
    valid_from timestamptz not null,
    valid_until timestamptz not null,
    recorded_at timestamptz not null,
    constraint consents_pkey primary key (network_id, consent_id),
    constraint consents_client_fkey foreign key (network_id, client_id) references clients,
    constraint consents_text_fkey foreign key (network_id, text_id, language) references text_languages
);
create index consents_client_idx on consents (network_id, client_id);
create index consents_recorder_idx on consents (network_id, recorder_id, consent_id);

create table grants (
    network_id integer not null,
    grant_id uuid not null,
    consent_id uuid not null,
    client_id uuid not null,
    recorder_id integer not null,
    sender_id integer not null,
    recipient_id integer not null,
    purpose_id smallint not null,
    category_ids smallint[] not null,
    explicit boolean not null,
    answer text not null,
    valid_from timestamptz not null,
    valid_until timestamptz not null,
    constraint grants_pkey primary key (network_id, grant_id),
    constraint grants_consent_fkey foreign key (network_id, consent_id) references consents,
    constraint grants_sender_fkey foreign key (network_id, sender_id) references partners,
    constraint grants_recipient_fkey foreign key (network_id, recipient_id) references partners,
    constraint grants_purpose_fkey foreign key (network_id, purpose_id) references purposes,
    constraint grants_direction_check check (sender_id <> recipient_id),
    constraint grants_answer_check check (answer in ('given', 'refused', 'requested')),
    constraint grants_validity_check check (valid_from < valid_until)
);
-- The decision's one descent.
create index grants_flow_idx on grants (network_id, client_id, sender_id, recipient_id, purpose_id);
create index grants_consent_idx on grants (network_id, consent_id);

-- What happened to a grant after it was recorded. Status is derived from these rows, never stored.
create table grant_changes (
    network_id integer not null,
    grant_id uuid not null,
    change_id uuid not null,
    act_id uuid not null,
    client_id uuid not null,
    partner_ids integer[] not null,
    kind text not null,
    category_ids smallint[],
    valid_until timestamptz,
    effective_at timestamptz not null,
    recorded_at timestamptz not null,
    constraint grant_changes_pkey primary key (network_id, grant_id, change_id),
    constraint grant_changes_grant_fkey foreign key (network_id, grant_id) references grants,
    constraint grant_changes_kind_check check (kind in
        ('confirmed', 'renewed', 'withdrawn', 'ended', 'invalidated', 'restricted', 'unrestricted')),
    constraint grant_changes_renewal_check check ((kind = 'renewed') = (valid_until is not null))
);

create table releases (
    network_id integer not null,
    release_id uuid not null,
    consent_id uuid not null,
    client_id uuid not null,
    partner_ids integer[] not null,
    holder_id integer not null,
    towards_id integer not null,
    function_sealed bytea,
    person text,
    constraint releases_pkey primary key (network_id, release_id),
    constraint releases_consent_fkey foreign key (network_id, consent_id) references consents,
    constraint releases_holder_fkey foreign key (network_id, holder_id) references partners,
    constraint releases_towards_fkey foreign key (network_id, towards_id) references partners
);
create index releases_consent_idx on releases (network_id, consent_id);

create table release_changes (
    network_id integer not null,
    release_id uuid not null,
    change_id uuid not null,
    act_id uuid not null,
    client_id uuid not null,
    partner_ids integer[] not null,
    kind text not null,
    effective_at timestamptz not null,
    recorded_at timestamptz not null,
    constraint release_changes_pkey primary key (network_id, release_id, change_id),
    constraint release_changes_release_fkey foreign key (network_id, release_id) references releases,
    constraint release_changes_kind_check check (kind in ('withdrawn', 'ended', 'invalidated'))
);

-- The code a client carries. Seen by every partner of the network, because withdrawing works at any of them.
create table receipt_codes (
    network_id integer not null,
    digest bytea not null,
    digest_key text collate "C" not null,
    consent_id uuid not null,
    client_id uuid not null,
    partner_ids integer[] not null,
    recorded_at timestamptz not null,
    constraint receipt_codes_pkey primary key (network_id, digest),
    constraint receipt_codes_consent_fkey foreign key (network_id, consent_id) references consents
);

-- Failed attempts at codes, for the throttle: who and when, nothing of what was tried.
create table code_failures (
    network_id integer not null,
    partner_id integer not null,
    failure_id uuid not null,
    recorded_at timestamptz not null,
    constraint code_failures_pkey primary key (network_id, partner_id, failure_id)
);

-- One row for each client number that a withdrawal does something under; act_id is the withdrawal_id of the number by
-- which it was made. The partner that took it reads that row alone.
create table withdrawals (
    network_id integer not null,
    withdrawal_id uuid not null,
    act_id uuid not null,
    client_id uuid not null,
    partner_id integer not null,
    channel text not null,
    declared_at timestamptz not null,
    received_at timestamptz not null,
    recorded_at timestamptz not null,
    constraint withdrawals_pkey primary key (network_id, withdrawal_id),
    constraint withdrawals_partner_fkey foreign key (network_id, partner_id) references partners,
    constraint withdrawals_channel_check check (channel in ('in_person', 'phone', 'letter', 'email', 'third_person'))
);

-- The change feed: one row for each partner concerned.
create table changes (
    network_id integer not null,
    partner_id integer not null,
    change_id uuid not null,
    kind text not null,
    consent_id uuid not null,
    client_id uuid not null,
    grant_ids uuid[] not null,
    effective_from timestamptz not null,
    acknowledge_by timestamptz,
    recorded_at timestamptz not null,
    constraint changes_pkey primary key (network_id, partner_id, change_id)
);

create table transfers (
    network_id integer not null,
    transfer_id uuid not null,
    decision_id uuid not null,
    partner_id integer not null,
    client_id uuid,
    outcome text not null,
    category_ids smallint[] not null,
    transferred_at timestamptz not null,
    recorded_at timestamptz not null,
    constraint transfers_pkey primary key (network_id, transfer_id),
    constraint transfers_outcome_check check (outcome in ('sent', 'not_sent', 'failed'))
);
create index transfers_decision_idx on transfers (network_id, decision_id);

-- Answers kept for a repeated Idempotency-Key: scope is a digest of method, path and key; the answer is sealed.
-- partner_id is 0 for the network's administration.
create table idempotency_keys (
    network_id integer not null references networks,
    partner_id integer not null,
    scope bytea not null,
    body_sha256 bytea not null,
    answer bytea not null,
    client_ids uuid[] not null,
    recorded_at timestamptz not null,
    constraint idempotency_keys_pkey primary key (network_id, partner_id, scope)
);

-- The log. Bytes and nonce of an event can be erased; its leaf stays for ever. No foreign key binds the two.
-- actor_id, sender_id, recipient_id, purpose_id, outcome and client_id are copies for searching, in codes for size.
-- Columns stand by width, so that no row is padded, and there is no key: a partition's would have to hold `at` too, which
-- would take twice the space. The leaves' key says that an index is given once, and both are written together.
create table events (
    log_index bigint not null,
    at timestamptz not null,
    event_id uuid not null,
    client_id uuid,
    network_id integer not null,
    actor_id integer,
    sender_id integer,
    recipient_id integer,
    purpose_id smallint,
    kind smallint not null,
    outcome smallint,
    nonce bytea not null,
    event bytea not null,
    constraint events_nonce_check check (octet_length(nonce) = 32)
) partition by range (at);
-- No primary key: a partitioned table's would need the time and take twice the room; leaves_pkey, filled in the same
-- call of registry.append, holds that a place is given once.
create index events_log_idx on events (network_id, log_index);
-- Ids rise with time over all networks: appended at its right end, this index is half as big as one that begins with
-- the network.
create index events_event_idx on events (event_id);
-- With the actor, which makes it no wider: what others did about a client is passed over in the index.
create index events_client_idx on events (network_id, client_id, actor_id) where client_id is not null;
-- Permits whose transfer is not reported yet (kind 1 is a decision, outcomes 1 and 2 permit).
create index events_permits_idx on events (network_id, sender_id, event_id) where kind = 1 and outcome <= 2;
create index events_at_idx on events using brin (at);

create table leaves (
    log_index bigint not null,
    network_id integer not null,
    leaf bytea not null,
    constraint leaves_pkey primary key (network_id, log_index),
    constraint leaves_leaf_check check (octet_length(leaf) = 33)
);
-- Hashes do not compress. (Not `plain`, which would give each a header of four bytes instead of one.)
alter table leaves alter column leaf set storage external;
alter table events alter column nonce set storage external;
