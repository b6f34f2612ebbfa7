-- Written by `make schema` from a database that has every file of this folder applied; a test compares both.
-- To be read, and to be compared in a review: never applied, never edited. The reasons are in the files themselves.
-- {app}, {owner} and the like are the roles of an installation. Everything here is {owner}'s.

grant usage on schema registry to {app};
grant usage on schema registry to {auditor};
grant usage on schema registry to {eraser};
grant usage on schema registry to {sealer};

create table registry.agreement_endings (
    network_id integer not null,
    agreement_id uuid not null,
    recorded_at timestamp with time zone not null,
    constraint agreement_endings_pkey PRIMARY KEY (network_id, agreement_id),
    constraint agreement_endings_agreement_fkey FOREIGN KEY (network_id, agreement_id) REFERENCES registry.agreements(network_id, agreement_id)
);
alter table registry.agreement_endings enable row level security;
alter table registry.agreement_endings force row level security;
create policy agreement_endings_read on registry.agreement_endings for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy agreement_endings_write on registry.agreement_endings for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
grant insert, select on registry.agreement_endings to {app};
grant select on registry.agreement_endings to {auditor};

create table registry.agreements (
    network_id integer not null,
    agreement_id uuid not null,
    version text not null,
    valid_from timestamp with time zone,
    valid_until timestamp with time zone,
    recorded_at timestamp with time zone not null,
    constraint agreements_pkey PRIMARY KEY (network_id, agreement_id),
    constraint agreements_version_key UNIQUE (network_id, version),
    constraint agreements_network_id_fkey FOREIGN KEY (network_id) REFERENCES registry.networks(network_id),
    constraint agreements_validity_check CHECK ((valid_from < valid_until))
);
alter table registry.agreements enable row level security;
alter table registry.agreements force row level security;
create policy agreements_read on registry.agreements for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy agreements_write on registry.agreements for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
grant insert, select on registry.agreements to {app};
grant select on registry.agreements to {auditor};

create table registry.approval_revocations (
    network_id integer not null,
    revocation_id uuid not null,
    approval_id uuid not null,
    revoked_by text not null,
    recorded_at timestamp with time zone not null,
    constraint approval_revocations_pkey PRIMARY KEY (network_id, revocation_id),
    constraint approval_revocations_approval_key UNIQUE (network_id, approval_id),
    constraint approval_revocations_approval_fkey FOREIGN KEY (network_id, approval_id) REFERENCES registry.approvals(network_id, approval_id)
);
alter table registry.approval_revocations enable row level security;
alter table registry.approval_revocations force row level security;
create policy approval_revocations_read on registry.approval_revocations for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy approval_revocations_write on registry.approval_revocations for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER approval_revocations_append_only BEFORE DELETE OR UPDATE ON registry.approval_revocations FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER approval_revocations_no_truncate BEFORE TRUNCATE ON registry.approval_revocations FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.approval_revocations to {app};
grant select on registry.approval_revocations to {auditor};

create table registry.approvals (
    network_id integer not null,
    approval_id uuid not null,
    partner_id integer,
    subject_purpose_id smallint,
    sender_id integer,
    recipient_id integer,
    purpose_id smallint,
    approved_by text not null,
    norm text,
    valid_until timestamp with time zone,
    recorded_at timestamp with time zone not null,
    constraint approvals_pkey PRIMARY KEY (network_id, approval_id),
    constraint approvals_network_id_fkey FOREIGN KEY (network_id) REFERENCES registry.networks(network_id),
    constraint approvals_partner_fkey FOREIGN KEY (network_id, partner_id) REFERENCES registry.partners(network_id, partner_id),
    constraint approvals_purpose_fkey FOREIGN KEY (network_id, purpose_id) REFERENCES registry.purposes(network_id, purpose_id),
    constraint approvals_recipient_fkey FOREIGN KEY (network_id, recipient_id) REFERENCES registry.partners(network_id, partner_id),
    constraint approvals_sender_fkey FOREIGN KEY (network_id, sender_id) REFERENCES registry.partners(network_id, partner_id),
    constraint approvals_subject_purpose_fkey FOREIGN KEY (network_id, subject_purpose_id) REFERENCES registry.purposes(network_id, purpose_id),
    constraint approvals_subject_check CHECK ((num_nonnulls(partner_id, subject_purpose_id) = 1))
);
alter table registry.approvals enable row level security;
alter table registry.approvals force row level security;
create policy approvals_read on registry.approvals for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy approvals_write on registry.approvals for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER approvals_append_only BEFORE DELETE OR UPDATE ON registry.approvals FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER approvals_no_truncate BEFORE TRUNCATE ON registry.approvals FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.approvals to {app};
grant select on registry.approvals to {auditor};

create table registry.catalogue_versions (
    network_id integer not null,
    version integer not null,
    recorded_at timestamp with time zone not null,
    constraint catalogue_versions_pkey PRIMARY KEY (network_id, version),
    constraint catalogue_versions_network_id_fkey FOREIGN KEY (network_id) REFERENCES registry.networks(network_id)
);
alter table registry.catalogue_versions enable row level security;
alter table registry.catalogue_versions force row level security;
create policy catalogue_versions_read on registry.catalogue_versions for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy catalogue_versions_write on registry.catalogue_versions for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
grant insert, select on registry.catalogue_versions to {app};

create table registry.changes (
    network_id integer not null,
    partner_id integer not null,
    change_id uuid not null,
    kind text not null,
    consent_id uuid not null,
    client_id uuid not null,
    grant_ids uuid[] not null,
    effective_from timestamp with time zone not null,
    acknowledge_by timestamp with time zone,
    recorded_at timestamp with time zone not null,
    use_ban boolean not null default false,
    constraint changes_pkey PRIMARY KEY (network_id, partner_id, change_id)
);
CREATE INDEX changes_client_idx ON registry.changes USING btree (network_id, client_id);
alter table registry.changes enable row level security;
alter table registry.changes force row level security;
create policy changes_read on registry.changes for select to public using ((network_id = ( SELECT registry.current_network() AS current_network)) AND (partner_id = ANY (( SELECT registry.current_partners() AS current_partners)::integer[])));
create policy changes_removal on registry.changes for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy changes_removal_read on registry.changes for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy changes_write on registry.changes for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
grant insert, select on registry.changes to {app};

create table registry.checkpoints (
    network_id integer not null,
    size bigint not null,
    published_at timestamp with time zone not null,
    root bytea not null,
    note bytea not null,
    constraint checkpoints_pkey PRIMARY KEY (network_id, size, published_at),
    constraint checkpoints_network_id_fkey FOREIGN KEY (network_id) REFERENCES registry.networks(network_id),
    constraint checkpoints_root_check CHECK ((octet_length(root) = 32)),
    constraint checkpoints_size_check CHECK ((size >= 0))
);
alter table registry.checkpoints enable row level security;
alter table registry.checkpoints force row level security;
create policy checkpoints_read on registry.checkpoints for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy checkpoints_thin on registry.checkpoints for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy checkpoints_write on registry.checkpoints for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER checkpoints_no_truncate BEFORE TRUNCATE ON registry.checkpoints FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER checkpoints_unchanged BEFORE UPDATE ON registry.checkpoints FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
grant select on registry.checkpoints to {app};
grant select on registry.checkpoints to {auditor};
grant insert, select on registry.checkpoints to {sealer};

create table registry.client_memberships (
    network_id integer not null,
    client_id uuid not null,
    position integer not null,
    group_id uuid not null,
    recorded_at timestamp with time zone not null,
    constraint client_memberships_pkey PRIMARY KEY (network_id, client_id, "position"),
    constraint client_memberships_client_fkey FOREIGN KEY (network_id, client_id) REFERENCES registry.clients(network_id, client_id),
    constraint client_memberships_position_check CHECK (("position" >= 1))
);
CREATE INDEX client_memberships_group_idx ON registry.client_memberships USING btree (network_id, group_id);
alter table registry.client_memberships enable row level security;
alter table registry.client_memberships force row level security;
create policy client_memberships_read on registry.client_memberships for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy client_memberships_removal on registry.client_memberships for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy client_memberships_removal_read on registry.client_memberships for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy client_memberships_write on registry.client_memberships for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER client_memberships_append_only BEFORE DELETE OR UPDATE ON registry.client_memberships FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER client_memberships_no_truncate BEFORE TRUNCATE ON registry.client_memberships FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.client_memberships to {app};
grant select on registry.client_memberships to {auditor};

create table registry.client_references (
    network_id integer not null,
    partner_id integer not null,
    digest bytea not null,
    digest_key text collate "C" not null,
    client_id uuid not null,
    sealed bytea not null,
    recorded_at timestamp with time zone not null,
    constraint client_references_pkey PRIMARY KEY (network_id, partner_id, digest),
    constraint client_references_client_fkey FOREIGN KEY (network_id, client_id) REFERENCES registry.clients(network_id, client_id),
    constraint client_references_partner_fkey FOREIGN KEY (network_id, partner_id) REFERENCES registry.partners(network_id, partner_id)
);
CREATE INDEX client_references_client_idx ON registry.client_references USING btree (network_id, client_id);
alter table registry.client_references enable row level security;
alter table registry.client_references force row level security;
create policy client_references_audit on registry.client_references for select to {auditor} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy client_references_read on registry.client_references for select to public using ((network_id = ( SELECT registry.current_network() AS current_network)) AND (partner_id = ANY (( SELECT registry.current_partners() AS current_partners)::integer[])));
create policy client_references_removal on registry.client_references for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy client_references_removal_read on registry.client_references for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy client_references_reseal on registry.client_references for update to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy client_references_write on registry.client_references for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
grant insert, select on registry.client_references to {app};
grant select on registry.client_references to {auditor};

create table registry.clients (
    network_id integer not null,
    client_id uuid not null,
    recorded_at timestamp with time zone not null,
    constraint clients_pkey PRIMARY KEY (network_id, client_id),
    constraint clients_network_id_fkey FOREIGN KEY (network_id) REFERENCES registry.networks(network_id)
);
alter table registry.clients enable row level security;
alter table registry.clients force row level security;
create policy clients_read on registry.clients for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy clients_removal on registry.clients for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy clients_removal_read on registry.clients for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy clients_write on registry.clients for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
grant insert, select on registry.clients to {app};
grant select on registry.clients to {auditor};

create table registry.code_failures (
    network_id integer not null,
    partner_id integer not null,
    failure_id uuid not null,
    recorded_at timestamp with time zone not null,
    kind text not null default 'receipt_code'::text,
    constraint code_failures_pkey PRIMARY KEY (network_id, partner_id, failure_id),
    constraint code_failures_kind_check CHECK ((kind = ANY (ARRAY['receipt_code'::text, 'link_code'::text])))
);
alter table registry.code_failures enable row level security;
alter table registry.code_failures force row level security;
create policy code_failures_read on registry.code_failures for select to public using ((network_id = ( SELECT registry.current_network() AS current_network)) AND (partner_id = ANY (( SELECT registry.current_partners() AS current_partners)::integer[])));
create policy code_failures_write on registry.code_failures for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
grant insert, select on registry.code_failures to {app};

create table registry.consent_evidence (
    network_id integer not null,
    consent_id uuid not null,
    evidence_id uuid not null,
    client_id uuid not null,
    partner_ids integer[] not null,
    sha256 bytea not null,
    media_type text not null,
    kept_at bytea not null,
    recorded_at timestamp with time zone not null,
    constraint consent_evidence_pkey PRIMARY KEY (network_id, consent_id),
    constraint consent_evidence_consent_fkey FOREIGN KEY (network_id, consent_id) REFERENCES registry.consents(network_id, consent_id),
    constraint consent_evidence_sha256_check CHECK ((octet_length(sha256) = 32))
);
alter table registry.consent_evidence enable row level security;
alter table registry.consent_evidence force row level security;
create policy consent_evidence_audit on registry.consent_evidence for select to {auditor} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy consent_evidence_read on registry.consent_evidence for select to public using ((network_id = ( SELECT registry.current_network() AS current_network)) AND (partner_ids && ( SELECT registry.current_partners() AS current_partners)));
create policy consent_evidence_removal on registry.consent_evidence for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy consent_evidence_removal_read on registry.consent_evidence for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy consent_evidence_reseal on registry.consent_evidence for update to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy consent_evidence_write on registry.consent_evidence for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER consent_evidence_append_only BEFORE DELETE OR UPDATE ON registry.consent_evidence FOR EACH ROW EXECUTE FUNCTION registry.refuse_change('kept_at');
CREATE TRIGGER consent_evidence_no_truncate BEFORE TRUNCATE ON registry.consent_evidence FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.consent_evidence to {app};
grant select on registry.consent_evidence to {auditor};

create table registry.consents (
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
    giver_mandate_until timestamp with time zone,
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
    client_language text,
    given_at timestamp with time zone not null,
    valid_from timestamp with time zone not null,
    valid_until timestamp with time zone not null,
    recorded_at timestamp with time zone not null,
    renews uuid,
    guardian_id integer,
    remarks text[] not null default '{}'::text[],
    giver_adult_from text,
    giver_insight text,
    giver_direct_counselling boolean,
    giver_care text,
    giver_scope text[],
    co_giver_roles text[] not null default '{}'::text[],
    co_giver_assessors text[] not null default '{}'::text[],
    given_at_precision text not null default 'instant'::text,
    constraint consents_pkey PRIMARY KEY (network_id, consent_id),
    constraint consents_client_fkey FOREIGN KEY (network_id, client_id) REFERENCES registry.clients(network_id, client_id),
    constraint consents_guardian_fkey FOREIGN KEY (network_id, guardian_id) REFERENCES registry.partners(network_id, partner_id),
    constraint consents_text_fkey FOREIGN KEY (network_id, text_id, language) REFERENCES registry.text_languages(network_id, text_id, language),
    constraint consents_precision_check CHECK ((given_at_precision = ANY (ARRAY['instant'::text, 'day'::text])))
);
CREATE INDEX consents_client_idx ON registry.consents USING btree (network_id, client_id);
CREATE INDEX consents_recorder_idx ON registry.consents USING btree (network_id, recorder_id, consent_id);
CREATE INDEX consents_text_idx ON registry.consents USING btree (network_id, text_id, language);
alter table registry.consents enable row level security;
alter table registry.consents force row level security;
create policy consents_audit on registry.consents for select to {auditor} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy consents_read on registry.consents for select to public using ((network_id = ( SELECT registry.current_network() AS current_network)) AND (partner_ids && ( SELECT registry.current_partners() AS current_partners)));
create policy consents_removal on registry.consents for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy consents_removal_read on registry.consents for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy consents_reseal on registry.consents for update to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy consents_write on registry.consents for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER consents_append_only BEFORE DELETE OR UPDATE ON registry.consents FOR EACH ROW EXECUTE FUNCTION registry.refuse_change('evidence_kept_at');
CREATE TRIGGER consents_no_truncate BEFORE TRUNCATE ON registry.consents FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.consents to {app};
grant select on registry.consents to {auditor};

create table registry.credential_revocations (
    network_id integer not null,
    client_id text collate "C" not null,
    recorded_at timestamp with time zone not null,
    constraint credential_revocations_pkey PRIMARY KEY (network_id, client_id),
    constraint credential_revocations_credential_fkey FOREIGN KEY (network_id, client_id) REFERENCES registry.credentials(network_id, client_id)
);
alter table registry.credential_revocations enable row level security;
alter table registry.credential_revocations force row level security;
create policy credential_revocations_read on registry.credential_revocations for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy credential_revocations_write on registry.credential_revocations for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
grant insert, select on registry.credential_revocations to {app};
grant select on registry.credential_revocations to {auditor};

create table registry.credentials (
    network_id integer not null,
    client_id text collate "C" not null,
    partner_id integer,
    scopes text[] not null,
    secret_key text collate "C" not null,
    secret_mac bytea not null,
    recorded_at timestamp with time zone not null,
    constraint credentials_pkey PRIMARY KEY (network_id, client_id),
    constraint credentials_network_id_fkey FOREIGN KEY (network_id) REFERENCES registry.networks(network_id),
    constraint credentials_partner_fkey FOREIGN KEY (network_id, partner_id) REFERENCES registry.partners(network_id, partner_id)
);
alter table registry.credentials enable row level security;
alter table registry.credentials force row level security;
create policy credentials_read on registry.credentials for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy credentials_write on registry.credentials for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
grant insert, select on registry.credentials to {app};

create view registry.current_memberships with (security_invoker=true) as SELECT network_id, client_id, "position", group_id FROM registry.client_memberships m WHERE (NOT (EXISTS ( SELECT FROM registry.client_memberships later WHERE ((later.network_id = m.network_id) AND (later.client_id = m.client_id) AND (later."position" > m."position")))));
grant select on registry.current_memberships to {app};

create table registry.data_categories (
    network_id integer not null,
    category_id smallint not null,
    slug text collate "C" not null,
    name_de text not null,
    name_en text not null,
    special boolean not null,
    secrecy boolean not null,
    flags jsonb not null default '{}'::jsonb,
    constraint data_categories_pkey PRIMARY KEY (network_id, category_id),
    constraint data_categories_slug_key UNIQUE (network_id, slug),
    constraint data_categories_network_id_fkey FOREIGN KEY (network_id) REFERENCES registry.networks(network_id)
);
alter table registry.data_categories enable row level security;
alter table registry.data_categories force row level security;
create policy data_categories_read on registry.data_categories for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy data_categories_write on registry.data_categories for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
grant insert, select on registry.data_categories to {app};
grant select on registry.data_categories to {auditor};

create table registry.erasures (
    network_id integer not null,
    erasure_id uuid not null,
    ground text collate "C" not null,
    events bigint not null,
    recorded_at timestamp with time zone not null,
    constraint erasures_pkey PRIMARY KEY (network_id, erasure_id),
    constraint erasures_network_id_fkey FOREIGN KEY (network_id) REFERENCES registry.networks(network_id)
);
alter table registry.erasures enable row level security;
alter table registry.erasures force row level security;
create policy erasures_read on registry.erasures for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy erasures_write on registry.erasures for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER erasures_append_only BEFORE DELETE OR UPDATE ON registry.erasures FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER erasures_no_truncate BEFORE TRUNCATE ON registry.erasures FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant select on registry.erasures to {app};
grant select on registry.erasures to {auditor};

create table registry.events (
    log_index bigint not null,
    at timestamp with time zone not null,
    event_id uuid not null,
    client_id uuid,
    network_id integer not null,
    actor_id integer,
    sender_id integer,
    recipient_id integer,
    purpose_id smallint,
    kind smallint not null,
    outcome smallint,
    nonce bytea storage external not null,
    event bytea not null,
    person text collate "C",
    constraint events_nonce_check CHECK ((octet_length(nonce) = 32))
) partition by RANGE (at);
CREATE INDEX events_at_idx ON ONLY registry.events USING brin (at);
CREATE INDEX events_client_idx ON ONLY registry.events USING btree (network_id, client_id, actor_id) WHERE (client_id IS NOT NULL);
CREATE INDEX events_decision_idx ON ONLY registry.events USING btree (network_id, actor_id, log_index) WHERE (kind = registry.kind('decision'::text));
CREATE INDEX events_event_idx ON ONLY registry.events USING btree (event_id);
CREATE INDEX events_flow_idx ON ONLY registry.events USING btree (network_id, actor_id, recipient_id, purpose_id, outcome, log_index) WHERE (kind = registry.kind('decision'::text));
CREATE INDEX events_kind_idx ON ONLY registry.events USING btree (network_id, actor_id, kind, log_index) WHERE (kind <> registry.kind('decision'::text));
CREATE INDEX events_log_idx ON ONLY registry.events USING btree (network_id, log_index);
CREATE INDEX events_nobody_idx ON ONLY registry.events USING btree (network_id, sender_id, log_index) WHERE ((kind = registry.kind('decision'::text)) AND (client_id IS NULL));
CREATE INDEX events_permits_idx ON ONLY registry.events USING btree (network_id, sender_id, event_id) WHERE ((kind = registry.kind('decision'::text)) AND (outcome <= 2));
CREATE INDEX events_person_idx ON ONLY registry.events USING btree (network_id, actor_id, person, log_index) WHERE (person IS NOT NULL);
alter table registry.events enable row level security;
alter table registry.events force row level security;
create policy events_audit on registry.events for select to {auditor} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy events_places on registry.events for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy events_read on registry.events for select to public using ((network_id = ( SELECT registry.current_network() AS current_network)) AND (actor_id = ANY (( SELECT registry.current_partners() AS current_partners)::integer[])));
create policy events_removal on registry.events for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy events_removal_read on registry.events for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy events_write on registry.events for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
grant insert, select on registry.events to {app};
grant select on registry.events to {auditor};

create table registry.events_default partition of registry.events DEFAULT;
CREATE INDEX events_default_at_idx ON registry.events_default USING brin (at);
CREATE INDEX events_default_event_id_idx ON registry.events_default USING btree (event_id);
CREATE INDEX events_default_network_id_actor_id_kind_log_index_idx ON registry.events_default USING btree (network_id, actor_id, kind, log_index) WHERE (kind <> registry.kind('decision'::text));
CREATE INDEX events_default_network_id_actor_id_log_index_idx ON registry.events_default USING btree (network_id, actor_id, log_index) WHERE (kind = registry.kind('decision'::text));
CREATE INDEX events_default_network_id_actor_id_person_log_index_idx ON registry.events_default USING btree (network_id, actor_id, person, log_index) WHERE (person IS NOT NULL);
CREATE INDEX events_default_network_id_actor_id_recipient_id_purpose_id__idx ON registry.events_default USING btree (network_id, actor_id, recipient_id, purpose_id, outcome, log_index) WHERE (kind = registry.kind('decision'::text));
CREATE INDEX events_default_network_id_client_id_actor_id_idx ON registry.events_default USING btree (network_id, client_id, actor_id) WHERE (client_id IS NOT NULL);
CREATE INDEX events_default_network_id_log_index_idx ON registry.events_default USING btree (network_id, log_index);
CREATE INDEX events_default_network_id_sender_id_event_id_idx ON registry.events_default USING btree (network_id, sender_id, event_id) WHERE ((kind = registry.kind('decision'::text)) AND (outcome <= 2));
CREATE INDEX events_default_network_id_sender_id_log_index_idx ON registry.events_default USING btree (network_id, sender_id, log_index) WHERE ((kind = registry.kind('decision'::text)) AND (client_id IS NULL));
alter table registry.events_default enable row level security;
alter table registry.events_default force row level security;

create table registry.flows (
    network_id integer not null,
    agreement_id uuid not null,
    flow_number integer not null,
    sender_id integer not null,
    recipient_id integer not null,
    purpose_id smallint not null,
    category_ids smallint[] not null,
    basis text not null,
    norm text,
    entrusted boolean not null default false,
    constraint flows_pkey PRIMARY KEY (network_id, agreement_id, flow_number),
    constraint flows_agreement_fkey FOREIGN KEY (network_id, agreement_id) REFERENCES registry.agreements(network_id, agreement_id),
    constraint flows_purpose_fkey FOREIGN KEY (network_id, purpose_id) REFERENCES registry.purposes(network_id, purpose_id),
    constraint flows_recipient_fkey FOREIGN KEY (network_id, recipient_id) REFERENCES registry.partners(network_id, partner_id),
    constraint flows_sender_fkey FOREIGN KEY (network_id, sender_id) REFERENCES registry.partners(network_id, partner_id),
    constraint flows_basis_check CHECK ((((basis = 'consent'::text) AND (norm IS NULL)) OR ((basis = 'statute'::text) AND (norm IS NOT NULL)))),
    constraint flows_direction_check CHECK ((sender_id <> recipient_id))
);
alter table registry.flows enable row level security;
alter table registry.flows force row level security;
create policy flows_read on registry.flows for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy flows_write on registry.flows for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
grant insert, select on registry.flows to {app};
grant select on registry.flows to {auditor};

create table registry.grant_changes (
    network_id integer not null,
    grant_id uuid not null,
    change_id uuid not null,
    act_id uuid not null,
    client_id uuid not null,
    partner_ids integer[] not null,
    kind text not null,
    category_ids smallint[],
    valid_until timestamp with time zone,
    effective_at timestamp with time zone not null,
    recorded_at timestamp with time zone not null,
    by_grant_id uuid,
    constraint grant_changes_pkey PRIMARY KEY (network_id, grant_id, change_id),
    constraint grant_changes_grant_fkey FOREIGN KEY (network_id, grant_id) REFERENCES registry.grants(network_id, grant_id),
    constraint grant_changes_by_check CHECK (((kind = ANY (ARRAY['renewed'::text, 'unrenewed'::text])) = (by_grant_id IS NOT NULL))),
    constraint grant_changes_kind_check CHECK ((kind = ANY (ARRAY['confirmed'::text, 'evidenced'::text, 'renewed'::text, 'unrenewed'::text, 'withdrawn'::text, 'ended'::text, 'invalidated'::text, 'restricted'::text, 'unrestricted'::text]))),
    constraint grant_changes_renewal_check CHECK (((kind = 'renewed'::text) = (valid_until IS NOT NULL)))
);
CREATE INDEX grant_changes_act_idx ON registry.grant_changes USING btree (network_id, act_id);
CREATE INDEX grant_changes_client_idx ON registry.grant_changes USING btree (network_id, client_id);
CREATE INDEX grant_changes_invalidated_idx ON registry.grant_changes USING btree (network_id, recorded_at) WHERE (kind = 'invalidated'::text);
CREATE INDEX grant_changes_withdrawn_idx ON registry.grant_changes USING btree (network_id, recorded_at) WHERE (kind = 'withdrawn'::text);
alter table registry.grant_changes enable row level security;
alter table registry.grant_changes force row level security;
create policy grant_changes_audit on registry.grant_changes for select to {auditor} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy grant_changes_read on registry.grant_changes for select to public using ((network_id = ( SELECT registry.current_network() AS current_network)) AND (partner_ids && ( SELECT registry.current_partners() AS current_partners)));
create policy grant_changes_removal on registry.grant_changes for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy grant_changes_removal_read on registry.grant_changes for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy grant_changes_write on registry.grant_changes for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER grant_changes_append_only BEFORE DELETE OR UPDATE ON registry.grant_changes FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER grant_changes_no_truncate BEFORE TRUNCATE ON registry.grant_changes FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.grant_changes to {app};
grant select on registry.grant_changes to {auditor};

create table registry.grants (
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
    valid_from timestamp with time zone not null,
    valid_until timestamp with time zone not null,
    given_at timestamp with time zone,
    third_parties text,
    third_party_grants uuid[],
    evidence_follows boolean not null default false,
    entrusted_by text,
    release_ids uuid[],
    constraint grants_pkey PRIMARY KEY (network_id, grant_id),
    constraint grants_consent_fkey FOREIGN KEY (network_id, consent_id) REFERENCES registry.consents(network_id, consent_id),
    constraint grants_purpose_fkey FOREIGN KEY (network_id, purpose_id) REFERENCES registry.purposes(network_id, purpose_id),
    constraint grants_recipient_fkey FOREIGN KEY (network_id, recipient_id) REFERENCES registry.partners(network_id, partner_id),
    constraint grants_sender_fkey FOREIGN KEY (network_id, sender_id) REFERENCES registry.partners(network_id, partner_id),
    constraint grants_answer_check CHECK ((answer = ANY (ARRAY['given'::text, 'refused'::text, 'requested'::text]))),
    constraint grants_direction_check CHECK ((sender_id <> recipient_id)),
    constraint grants_entrusted_by_check CHECK ((entrusted_by = ANY (ARRAY['self'::text, 'other'::text]))),
    constraint grants_third_parties_check CHECK ((third_parties = ANY (ARRAY['unstated'::text, 'none'::text, 'consented'::text, 'not_consented'::text]))),
    constraint grants_third_party_grants_check CHECK (((NOT (third_parties IS DISTINCT FROM 'consented'::text)) = (third_party_grants IS NOT NULL))),
    constraint grants_validity_check CHECK ((valid_from < valid_until))
);
CREATE INDEX grants_consent_idx ON registry.grants USING btree (network_id, consent_id);
CREATE INDEX grants_flow_idx ON registry.grants USING btree (network_id, client_id, sender_id, recipient_id, purpose_id);
CREATE INDEX grants_leaning_idx ON registry.grants USING btree (network_id, sender_id) WHERE (third_party_grants IS NOT NULL);
alter table registry.grants enable row level security;
alter table registry.grants force row level security;
create policy grants_audit on registry.grants for select to {auditor} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy grants_read on registry.grants for select to public using ((network_id = ( SELECT registry.current_network() AS current_network)) AND ((recorder_id = ANY (( SELECT registry.current_partners() AS current_partners)::integer[])) OR ((answer <> 'refused'::text) AND (sender_id = ANY (( SELECT registry.current_partners() AS current_partners)::integer[]))) OR ((answer = 'given'::text) AND (recipient_id = ANY (( SELECT registry.current_partners() AS current_partners)::integer[])))));
create policy grants_removal on registry.grants for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy grants_removal_read on registry.grants for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy grants_write on registry.grants for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER grants_append_only BEFORE DELETE OR UPDATE ON registry.grants FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER grants_no_truncate BEFORE TRUNCATE ON registry.grants FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.grants to {app};
grant select on registry.grants to {auditor};

create table registry.hold_liftings (
    network_id integer not null,
    hold_id uuid not null,
    client_id uuid not null,
    lifted_by text collate "C" not null,
    recorded_at timestamp with time zone not null,
    constraint hold_liftings_pkey PRIMARY KEY (network_id, hold_id),
    constraint hold_liftings_hold_fkey FOREIGN KEY (network_id, hold_id) REFERENCES registry.holds(network_id, hold_id)
);
alter table registry.hold_liftings enable row level security;
alter table registry.hold_liftings force row level security;
create policy hold_liftings_audit on registry.hold_liftings for select to {auditor} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy hold_liftings_read on registry.hold_liftings for select to public using ((network_id = ( SELECT registry.current_network() AS current_network)) AND (0 = ANY (( SELECT registry.current_partners() AS current_partners)::integer[])));
create policy hold_liftings_removal on registry.hold_liftings for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy hold_liftings_removal_read on registry.hold_liftings for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy hold_liftings_write on registry.hold_liftings for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER hold_liftings_append_only BEFORE DELETE OR UPDATE ON registry.hold_liftings FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER hold_liftings_no_truncate BEFORE TRUNCATE ON registry.hold_liftings FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.hold_liftings to {app};
grant select on registry.hold_liftings to {auditor};

create table registry.holds (
    network_id integer not null,
    hold_id uuid not null,
    client_id uuid not null,
    norm text not null,
    placed_by text collate "C" not null,
    recorded_at timestamp with time zone not null,
    constraint holds_pkey PRIMARY KEY (network_id, hold_id),
    constraint holds_client_fkey FOREIGN KEY (network_id, client_id) REFERENCES registry.clients(network_id, client_id)
);
CREATE INDEX holds_client_idx ON registry.holds USING btree (network_id, client_id);
alter table registry.holds enable row level security;
alter table registry.holds force row level security;
create policy holds_audit on registry.holds for select to {auditor} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy holds_read on registry.holds for select to public using ((network_id = ( SELECT registry.current_network() AS current_network)) AND (0 = ANY (( SELECT registry.current_partners() AS current_partners)::integer[])));
create policy holds_removal on registry.holds for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy holds_removal_read on registry.holds for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy holds_write on registry.holds for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER holds_append_only BEFORE DELETE OR UPDATE ON registry.holds FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER holds_no_truncate BEFORE TRUNCATE ON registry.holds FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.holds to {app};
grant select on registry.holds to {auditor};

create table registry.idempotency_keys (
    network_id integer not null,
    partner_id integer not null,
    scope bytea not null,
    body_sha256 bytea not null,
    answer bytea not null,
    client_ids uuid[] not null,
    recorded_at timestamp with time zone not null,
    constraint idempotency_keys_pkey PRIMARY KEY (network_id, partner_id, scope),
    constraint idempotency_keys_network_id_fkey FOREIGN KEY (network_id) REFERENCES registry.networks(network_id)
);
alter table registry.idempotency_keys enable row level security;
alter table registry.idempotency_keys force row level security;
create policy idempotency_keys_forget on registry.idempotency_keys for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy idempotency_keys_forget_read on registry.idempotency_keys for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy idempotency_keys_read on registry.idempotency_keys for select to public using ((network_id = ( SELECT registry.current_network() AS current_network)) AND (partner_id = ANY (( SELECT registry.current_partners() AS current_partners)::integer[])));
create policy idempotency_keys_removal on registry.idempotency_keys for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy idempotency_keys_removal_read on registry.idempotency_keys for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy idempotency_keys_write on registry.idempotency_keys for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
grant insert, select on registry.idempotency_keys to {app};

create table registry.key_rotations (
    network_id integer not null,
    key_file text collate "C" not null,
    key_id text collate "C" not null,
    recorded_at timestamp with time zone not null,
    constraint key_rotations_pkey PRIMARY KEY (network_id, key_file, key_id),
    constraint key_rotations_network_id_fkey FOREIGN KEY (network_id) REFERENCES registry.networks(network_id),
    constraint key_rotations_file_check CHECK ((key_file = ANY (ARRAY['digest'::text, 'sealing'::text, 'token'::text, 'log'::text])))
);
alter table registry.key_rotations enable row level security;
alter table registry.key_rotations force row level security;
create policy key_rotations_read on registry.key_rotations for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy key_rotations_write on registry.key_rotations for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER key_rotations_append_only BEFORE DELETE OR UPDATE ON registry.key_rotations FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER key_rotations_no_truncate BEFORE TRUNCATE ON registry.key_rotations FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.key_rotations to {app};

create table registry.leaves (
    log_index bigint not null,
    network_id integer not null,
    leaf bytea storage external not null,
    constraint leaves_pkey PRIMARY KEY (network_id, log_index),
    constraint leaves_leaf_check CHECK ((octet_length(leaf) = 33))
);
alter table registry.leaves enable row level security;
alter table registry.leaves force row level security;
create policy leaves_read on registry.leaves for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy leaves_write on registry.leaves for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER leaves_append_only BEFORE DELETE OR UPDATE ON registry.leaves FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER leaves_no_truncate BEFORE TRUNCATE ON registry.leaves FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.leaves to {app};
grant select on registry.leaves to {auditor};
grant select on registry.leaves to {sealer};

create table registry.link_codes (
    network_id integer not null,
    digest bytea not null,
    digest_key text collate "C" not null,
    link_code_id uuid not null,
    client_id uuid not null,
    partner_id integer not null,
    for_partner_id integer,
    expires_at timestamp with time zone not null,
    recorded_at timestamp with time zone not null,
    constraint link_codes_pkey PRIMARY KEY (network_id, digest),
    constraint link_codes_id_key UNIQUE (network_id, link_code_id),
    constraint link_codes_client_fkey FOREIGN KEY (network_id, client_id) REFERENCES registry.clients(network_id, client_id),
    constraint link_codes_for_partner_fkey FOREIGN KEY (network_id, for_partner_id) REFERENCES registry.partners(network_id, partner_id),
    constraint link_codes_partner_fkey FOREIGN KEY (network_id, partner_id) REFERENCES registry.partners(network_id, partner_id),
    constraint link_codes_expiry_check CHECK (((expires_at > recorded_at) AND (expires_at <= (recorded_at + '168:00:00'::interval))))
);
CREATE INDEX link_codes_client_idx ON registry.link_codes USING btree (network_id, client_id);
alter table registry.link_codes enable row level security;
alter table registry.link_codes force row level security;
create policy link_codes_read on registry.link_codes for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy link_codes_removal on registry.link_codes for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy link_codes_removal_read on registry.link_codes for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy link_codes_write on registry.link_codes for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER link_codes_append_only BEFORE DELETE OR UPDATE ON registry.link_codes FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER link_codes_no_truncate BEFORE TRUNCATE ON registry.link_codes FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.link_codes to {app};
grant select on registry.link_codes to {auditor};

create table registry.links (
    network_id integer not null,
    link_id uuid not null,
    link_code_id uuid not null,
    client_id uuid not null,
    partner_id integer not null,
    recorded_at timestamp with time zone not null,
    constraint links_pkey PRIMARY KEY (network_id, link_id),
    constraint links_link_code_key UNIQUE (network_id, link_code_id),
    constraint links_client_fkey FOREIGN KEY (network_id, client_id) REFERENCES registry.clients(network_id, client_id),
    constraint links_partner_fkey FOREIGN KEY (network_id, partner_id) REFERENCES registry.partners(network_id, partner_id)
);
CREATE INDEX links_client_idx ON registry.links USING btree (network_id, client_id);
alter table registry.links enable row level security;
alter table registry.links force row level security;
create policy links_read on registry.links for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy links_removal on registry.links for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy links_removal_read on registry.links for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy links_write on registry.links for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER links_append_only BEFORE DELETE OR UPDATE ON registry.links FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER links_no_truncate BEFORE TRUNCATE ON registry.links FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.links to {app};
grant select on registry.links to {auditor};

create table registry.networks (
    network_id integer not null,
    slug text collate "C" not null,
    name text not null,
    about text not null,
    log_origin text collate "C" not null,
    demonstration boolean not null,
    created_at timestamp with time zone not null,
    constraint networks_pkey PRIMARY KEY (network_id),
    constraint networks_log_origin_key UNIQUE (log_origin),
    constraint networks_slug_key UNIQUE (slug),
    constraint networks_network_id_check CHECK (((network_id >= 1) AND (network_id <= 1048575)))
);
grant insert, select on registry.networks to {app};
grant select on registry.networks to {auditor};
grant select on registry.networks to {sealer};

create table registry.partners (
    network_id integer not null,
    partner_id integer not null,
    slug text collate "C" not null,
    name text not null,
    organisation text,
    kind text not null,
    regime text,
    functions jsonb not null,
    selectable boolean not null,
    isolated boolean not null,
    coordinating_post boolean not null,
    recorded_at timestamp with time zone not null,
    constraint partners_pkey PRIMARY KEY (network_id, partner_id),
    constraint partners_slug_key UNIQUE (network_id, slug),
    constraint partners_network_id_fkey FOREIGN KEY (network_id) REFERENCES registry.networks(network_id),
    constraint partners_regime_check CHECK ((regime = ANY (ARRAY['sgb_x'::text, 'gdpr_bdsg'::text, 'dsg_nrw'::text, 'kdg'::text, 'dsg_ekd'::text]))),
    constraint partners_selectable_check CHECK (((NOT selectable) OR ((organisation IS NOT NULL) AND (regime IS NOT NULL))))
);
alter table registry.partners enable row level security;
alter table registry.partners force row level security;
create policy partners_read on registry.partners for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy partners_write on registry.partners for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
grant insert, select on registry.partners to {app};
grant select on registry.partners to {auditor};

create table registry.policies (
    network_id integer not null,
    version integer not null,
    policies jsonb not null,
    set_by text collate "C",
    recorded_at timestamp with time zone not null,
    constraint policies_pkey PRIMARY KEY (network_id, version),
    constraint policies_network_id_fkey FOREIGN KEY (network_id) REFERENCES registry.networks(network_id),
    constraint policies_set_by_check CHECK (((set_by IS NULL) = (version = 1))),
    constraint policies_version_check CHECK ((version >= 1))
);
alter table registry.policies enable row level security;
alter table registry.policies force row level security;
create policy policies_read on registry.policies for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy policies_write on registry.policies for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER policies_append_only BEFORE DELETE OR UPDATE ON registry.policies FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER policies_no_truncate BEFORE TRUNCATE ON registry.policies FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.policies to {app};
grant select on registry.policies to {auditor};

create table registry.purposes (
    network_id integer not null,
    purpose_id smallint not null,
    slug text collate "C" not null,
    name_de text not null,
    name_en text not null,
    category_ids smallint[] not null,
    flags jsonb not null default '{}'::jsonb,
    constraint purposes_pkey PRIMARY KEY (network_id, purpose_id),
    constraint purposes_slug_key UNIQUE (network_id, slug),
    constraint purposes_network_id_fkey FOREIGN KEY (network_id) REFERENCES registry.networks(network_id)
);
alter table registry.purposes enable row level security;
alter table registry.purposes force row level security;
create policy purposes_read on registry.purposes for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy purposes_write on registry.purposes for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
grant insert, select on registry.purposes to {app};
grant select on registry.purposes to {auditor};

create table registry.receipt_codes (
    network_id integer not null,
    digest bytea not null,
    digest_key text collate "C" not null,
    consent_id uuid not null,
    client_id uuid not null,
    partner_ids integer[] not null,
    recorded_at timestamp with time zone not null,
    issue integer not null default 1,
    constraint receipt_codes_pkey PRIMARY KEY (network_id, digest),
    constraint receipt_codes_issue_key UNIQUE (network_id, consent_id, issue),
    constraint receipt_codes_consent_fkey FOREIGN KEY (network_id, consent_id) REFERENCES registry.consents(network_id, consent_id)
);
CREATE INDEX receipt_codes_client_idx ON registry.receipt_codes USING btree (network_id, client_id);
CREATE INDEX receipt_codes_consent_idx ON registry.receipt_codes USING btree (network_id, consent_id);
alter table registry.receipt_codes enable row level security;
alter table registry.receipt_codes force row level security;
create policy receipt_codes_read on registry.receipt_codes for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy receipt_codes_removal on registry.receipt_codes for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy receipt_codes_removal_read on registry.receipt_codes for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy receipt_codes_write on registry.receipt_codes for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
grant insert, select on registry.receipt_codes to {app};
grant select on registry.receipt_codes to {auditor};

create table registry.reinstatements (
    network_id integer not null,
    reinstatement_id uuid not null,
    suspension_id uuid not null,
    recorded_at timestamp with time zone not null,
    constraint reinstatements_pkey PRIMARY KEY (network_id, reinstatement_id),
    constraint reinstatements_suspension_key UNIQUE (network_id, suspension_id),
    constraint reinstatements_suspension_fkey FOREIGN KEY (network_id, suspension_id) REFERENCES registry.suspensions(network_id, suspension_id)
);
alter table registry.reinstatements enable row level security;
alter table registry.reinstatements force row level security;
create policy reinstatements_read on registry.reinstatements for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy reinstatements_write on registry.reinstatements for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
grant insert, select on registry.reinstatements to {app};
grant select on registry.reinstatements to {auditor};

create table registry.release_changes (
    network_id integer not null,
    release_id uuid not null,
    change_id uuid not null,
    act_id uuid not null,
    client_id uuid not null,
    partner_ids integer[] not null,
    kind text not null,
    effective_at timestamp with time zone not null,
    recorded_at timestamp with time zone not null,
    constraint release_changes_pkey PRIMARY KEY (network_id, release_id, change_id),
    constraint release_changes_release_fkey FOREIGN KEY (network_id, release_id) REFERENCES registry.releases(network_id, release_id),
    constraint release_changes_kind_check CHECK ((kind = ANY (ARRAY['withdrawn'::text, 'ended'::text, 'invalidated'::text])))
);
CREATE INDEX release_changes_act_idx ON registry.release_changes USING btree (network_id, act_id);
CREATE INDEX release_changes_client_idx ON registry.release_changes USING btree (network_id, client_id);
CREATE INDEX release_changes_withdrawn_idx ON registry.release_changes USING btree (network_id, recorded_at) WHERE (kind = 'withdrawn'::text);
alter table registry.release_changes enable row level security;
alter table registry.release_changes force row level security;
create policy release_changes_audit on registry.release_changes for select to {auditor} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy release_changes_read on registry.release_changes for select to public using ((network_id = ( SELECT registry.current_network() AS current_network)) AND (partner_ids && ( SELECT registry.current_partners() AS current_partners)));
create policy release_changes_removal on registry.release_changes for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy release_changes_removal_read on registry.release_changes for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy release_changes_write on registry.release_changes for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER release_changes_append_only BEFORE DELETE OR UPDATE ON registry.release_changes FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER release_changes_no_truncate BEFORE TRUNCATE ON registry.release_changes FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.release_changes to {app};
grant select on registry.release_changes to {auditor};

create table registry.releases (
    network_id integer not null,
    release_id uuid not null,
    consent_id uuid not null,
    client_id uuid not null,
    partner_ids integer[] not null,
    holder_id integer not null,
    towards_id integer not null,
    function_sealed bytea,
    person text,
    purpose_ids smallint[],
    category_ids smallint[],
    valid_until timestamp with time zone,
    constraint releases_pkey PRIMARY KEY (network_id, release_id),
    constraint releases_consent_fkey FOREIGN KEY (network_id, consent_id) REFERENCES registry.consents(network_id, consent_id),
    constraint releases_holder_fkey FOREIGN KEY (network_id, holder_id) REFERENCES registry.partners(network_id, partner_id),
    constraint releases_towards_fkey FOREIGN KEY (network_id, towards_id) REFERENCES registry.partners(network_id, partner_id)
);
CREATE INDEX releases_client_idx ON registry.releases USING btree (network_id, client_id);
CREATE INDEX releases_consent_idx ON registry.releases USING btree (network_id, consent_id);
alter table registry.releases enable row level security;
alter table registry.releases force row level security;
create policy releases_audit on registry.releases for select to {auditor} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy releases_read on registry.releases for select to public using ((network_id = ( SELECT registry.current_network() AS current_network)) AND (partner_ids && ( SELECT registry.current_partners() AS current_partners)));
create policy releases_removal on registry.releases for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy releases_removal_read on registry.releases for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy releases_reseal on registry.releases for update to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy releases_write on registry.releases for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER releases_append_only BEFORE DELETE OR UPDATE ON registry.releases FOR EACH ROW EXECUTE FUNCTION registry.refuse_change('function_sealed');
CREATE TRIGGER releases_no_truncate BEFORE TRUNCATE ON registry.releases FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.releases to {app};
grant select on registry.releases to {auditor};

create table registry.retention_periods (
    network_id integer not null,
    period_id uuid not null,
    use_years smallint not null,
    consent_years smallint not null,
    recorded_at timestamp with time zone not null,
    constraint retention_periods_pkey PRIMARY KEY (network_id, period_id),
    constraint retention_periods_network_id_fkey FOREIGN KEY (network_id) REFERENCES registry.networks(network_id),
    constraint retention_periods_years_check CHECK ((((use_years >= 1) AND (use_years <= 30)) AND ((consent_years >= 1) AND (consent_years <= 30))))
);
alter table registry.retention_periods enable row level security;
alter table registry.retention_periods force row level security;
create policy retention_periods_read on registry.retention_periods for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy retention_periods_write on registry.retention_periods for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER retention_periods_append_only BEFORE DELETE OR UPDATE ON registry.retention_periods FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER retention_periods_no_truncate BEFORE TRUNCATE ON registry.retention_periods FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.retention_periods to {app};
grant select on registry.retention_periods to {auditor};

create table registry.retentions (
    network_id integer not null,
    retention_id uuid not null,
    events bigint not null,
    recorded_at timestamp with time zone not null,
    constraint retentions_pkey PRIMARY KEY (network_id, retention_id),
    constraint retentions_network_id_fkey FOREIGN KEY (network_id) REFERENCES registry.networks(network_id)
);
alter table registry.retentions enable row level security;
alter table registry.retentions force row level security;
create policy retentions_read on registry.retentions for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy retentions_write on registry.retentions for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER retentions_append_only BEFORE DELETE OR UPDATE ON registry.retentions FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER retentions_no_truncate BEFORE TRUNCATE ON registry.retentions FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant select on registry.retentions to {app};
grant select on registry.retentions to {auditor};

create table registry.schema_functions (
    name text not null,
    sha256 text not null,
    applied_at timestamp with time zone not null default statement_timestamp(),
    constraint schema_functions_pkey PRIMARY KEY (name)
);
grant select on registry.schema_functions to {app};

create table registry.schema_migrations (
    version integer not null,
    name text not null,
    sha256 text not null,
    applied_at timestamp with time zone not null default statement_timestamp(),
    constraint schema_migrations_pkey PRIMARY KEY (version)
);
grant select on registry.schema_migrations to {app};

create table registry.stale_translations (
    network_id integer not null,
    staling_id uuid not null,
    text_id uuid not null,
    language text collate "C" not null,
    reason text,
    recorded_at timestamp with time zone not null,
    constraint stale_translations_pkey PRIMARY KEY (network_id, text_id, language),
    constraint stale_translations_language_fkey FOREIGN KEY (network_id, text_id, language) REFERENCES registry.text_languages(network_id, text_id, language),
    constraint stale_translations_reason_check CHECK ((reason = ANY (ARRAY['mistranslated'::text, 'incomplete'::text, 'outdated'::text])))
);
alter table registry.stale_translations enable row level security;
alter table registry.stale_translations force row level security;
create policy stale_translations_read on registry.stale_translations for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy stale_translations_write on registry.stale_translations for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER stale_translations_append_only BEFORE DELETE OR UPDATE ON registry.stale_translations FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER stale_translations_no_truncate BEFORE TRUNCATE ON registry.stale_translations FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.stale_translations to {app};
grant select on registry.stale_translations to {auditor};

create table registry.suspensions (
    network_id integer not null,
    suspension_id uuid not null,
    partner_id integer not null,
    recorded_at timestamp with time zone not null,
    reason text not null default 'security'::text,
    constraint suspensions_pkey PRIMARY KEY (network_id, suspension_id),
    constraint suspensions_partner_fkey FOREIGN KEY (network_id, partner_id) REFERENCES registry.partners(network_id, partner_id),
    constraint suspensions_reason_check CHECK ((reason = ANY (ARRAY['security'::text, 'agreement'::text, 'other'::text])))
);
alter table registry.suspensions enable row level security;
alter table registry.suspensions force row level security;
create policy suspensions_read on registry.suspensions for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy suspensions_write on registry.suspensions for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
grant insert, select on registry.suspensions to {app};
grant select on registry.suspensions to {auditor};

create table registry.text_invalidations (
    network_id integer not null,
    invalidation_id uuid not null,
    text_id uuid not null,
    language text collate "C",
    reason text not null,
    recorded_at timestamp with time zone not null,
    constraint text_invalidations_pkey PRIMARY KEY (network_id, invalidation_id),
    constraint text_invalidations_text_fkey FOREIGN KEY (network_id, text_id) REFERENCES registry.texts(network_id, text_id),
    constraint text_invalidations_reason_check CHECK ((reason = ANY (ARRAY['form'::text, 'capacity'::text, 'pressure'::text, 'vague_text'::text])))
);
alter table registry.text_invalidations enable row level security;
alter table registry.text_invalidations force row level security;
create policy text_invalidations_read on registry.text_invalidations for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy text_invalidations_write on registry.text_invalidations for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER text_invalidations_append_only BEFORE DELETE OR UPDATE ON registry.text_invalidations FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER text_invalidations_no_truncate BEFORE TRUNCATE ON registry.text_invalidations FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.text_invalidations to {app};
grant select on registry.text_invalidations to {auditor};

create table registry.text_languages (
    network_id integer not null,
    text_id uuid not null,
    language text collate "C" not null,
    content bytea not null,
    sha256 bytea not null,
    translation_of bytea not null,
    aliases jsonb not null,
    constraint text_languages_pkey PRIMARY KEY (network_id, text_id, language),
    constraint text_languages_text_fkey FOREIGN KEY (network_id, text_id) REFERENCES registry.texts(network_id, text_id),
    constraint text_languages_sha256_check CHECK ((sha256 = sha256(content)))
);
alter table registry.text_languages enable row level security;
alter table registry.text_languages force row level security;
create policy text_languages_read on registry.text_languages for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy text_languages_write on registry.text_languages for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER text_languages_append_only BEFORE DELETE OR UPDATE ON registry.text_languages FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER text_languages_no_truncate BEFORE TRUNCATE ON registry.text_languages FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.text_languages to {app};
grant select on registry.text_languages to {auditor};

create table registry.texts (
    network_id integer not null,
    text_id uuid not null,
    version text not null,
    asked_flows jsonb not null,
    informs text[] not null,
    in_use_since date not null,
    in_use_until date,
    form_sha256 bytea,
    recorded_at timestamp with time zone not null,
    constraint texts_pkey PRIMARY KEY (network_id, text_id),
    constraint texts_version_key UNIQUE (network_id, version),
    constraint texts_network_id_fkey FOREIGN KEY (network_id) REFERENCES registry.networks(network_id),
    constraint texts_form_sha256_check CHECK ((octet_length(form_sha256) = 32))
);
alter table registry.texts enable row level security;
alter table registry.texts force row level security;
create policy texts_read on registry.texts for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy texts_write on registry.texts for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER texts_append_only BEFORE DELETE OR UPDATE ON registry.texts FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER texts_no_truncate BEFORE TRUNCATE ON registry.texts FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.texts to {app};
grant select on registry.texts to {auditor};

create table registry.tiles (
    network_id integer not null,
    level smallint not null,
    number bigint not null,
    width smallint not null,
    data bytea storage external not null,
    constraint tiles_pkey PRIMARY KEY (network_id, level, number, width),
    constraint tiles_network_id_fkey FOREIGN KEY (network_id) REFERENCES registry.networks(network_id),
    constraint tiles_data_check CHECK ((((width >= 1) AND (width <= 256)) AND (octet_length(data) = (32 * width)))),
    constraint tiles_level_check CHECK ((((level >= 0) AND (level <= 7)) AND (number >= 0)))
);
alter table registry.tiles enable row level security;
alter table registry.tiles force row level security;
create policy tiles_read on registry.tiles for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy tiles_thin on registry.tiles for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy tiles_write on registry.tiles for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER tiles_no_truncate BEFORE TRUNCATE ON registry.tiles FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER tiles_unchanged BEFORE UPDATE ON registry.tiles FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
grant select on registry.tiles to {app};
grant insert, select on registry.tiles to {sealer};

create table registry.transfers (
    network_id integer not null,
    transfer_id uuid not null,
    decision_id uuid not null,
    partner_id integer not null,
    client_id uuid,
    outcome text not null,
    category_ids smallint[] not null,
    transferred_at timestamp with time zone not null,
    recorded_at timestamp with time zone not null,
    constraint transfers_pkey PRIMARY KEY (network_id, transfer_id),
    constraint transfers_outcome_check CHECK ((outcome = ANY (ARRAY['sent'::text, 'not_sent'::text, 'failed'::text])))
);
CREATE INDEX transfers_client_idx ON registry.transfers USING btree (network_id, client_id) WHERE (client_id IS NOT NULL);
CREATE INDEX transfers_decision_idx ON registry.transfers USING btree (network_id, decision_id);
alter table registry.transfers enable row level security;
alter table registry.transfers force row level security;
create policy transfers_audit on registry.transfers for select to {auditor} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy transfers_read on registry.transfers for select to public using ((network_id = ( SELECT registry.current_network() AS current_network)) AND (partner_id = ANY (( SELECT registry.current_partners() AS current_partners)::integer[])));
create policy transfers_removal on registry.transfers for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy transfers_removal_read on registry.transfers for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy transfers_write on registry.transfers for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER transfers_append_only BEFORE DELETE OR UPDATE ON registry.transfers FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER transfers_no_truncate BEFORE TRUNCATE ON registry.transfers FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.transfers to {app};
grant select on registry.transfers to {auditor};

create table registry.unlinkings (
    network_id integer not null,
    unlinking_id uuid not null,
    client_id uuid not null,
    partner_id integer not null,
    left_group_id uuid,
    linked_at timestamp with time zone not null,
    recorded_at timestamp with time zone not null,
    constraint unlinkings_pkey PRIMARY KEY (network_id, unlinking_id),
    constraint unlinkings_client_fkey FOREIGN KEY (network_id, client_id) REFERENCES registry.clients(network_id, client_id),
    constraint unlinkings_partner_fkey FOREIGN KEY (network_id, partner_id) REFERENCES registry.partners(network_id, partner_id)
);
CREATE INDEX unlinkings_client_idx ON registry.unlinkings USING btree (network_id, client_id);
alter table registry.unlinkings enable row level security;
alter table registry.unlinkings force row level security;
create policy unlinkings_read on registry.unlinkings for select to public using (network_id = ( SELECT registry.current_network() AS current_network));
create policy unlinkings_removal on registry.unlinkings for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy unlinkings_removal_read on registry.unlinkings for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy unlinkings_write on registry.unlinkings for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER unlinkings_append_only BEFORE DELETE OR UPDATE ON registry.unlinkings FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER unlinkings_no_truncate BEFORE TRUNCATE ON registry.unlinkings FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.unlinkings to {app};
grant select on registry.unlinkings to {auditor};

create table registry.withdrawals (
    network_id integer not null,
    withdrawal_id uuid not null,
    act_id uuid not null,
    client_id uuid not null,
    partner_id integer not null,
    channel text not null,
    declared_at timestamp with time zone not null,
    received_at timestamp with time zone not null,
    recorded_at timestamp with time zone not null,
    covers text not null,
    covered_flows jsonb,
    category_ids smallint[],
    constraint withdrawals_pkey PRIMARY KEY (network_id, withdrawal_id),
    constraint withdrawals_partner_fkey FOREIGN KEY (network_id, partner_id) REFERENCES registry.partners(network_id, partner_id),
    constraint withdrawals_categories_check CHECK (((category_ids IS NULL) OR (covers = 'partner'::text))),
    constraint withdrawals_channel_check CHECK ((channel = ANY (ARRAY['in_person'::text, 'phone'::text, 'letter'::text, 'email'::text, 'third_person'::text]))),
    constraint withdrawals_covers_check CHECK ((covers = ANY (ARRAY['flows'::text, 'partner'::text, 'everything'::text, 'consent'::text]))),
    constraint withdrawals_flows_check CHECK (((covers = 'flows'::text) = (covered_flows IS NOT NULL)))
);
CREATE INDEX withdrawals_client_idx ON registry.withdrawals USING btree (network_id, client_id);
alter table registry.withdrawals enable row level security;
alter table registry.withdrawals force row level security;
create policy withdrawals_audit on registry.withdrawals for select to {auditor} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy withdrawals_read on registry.withdrawals for select to public using ((network_id = ( SELECT registry.current_network() AS current_network)) AND (act_id = withdrawal_id) AND (partner_id = ANY (( SELECT registry.current_partners() AS current_partners)::integer[])));
create policy withdrawals_removal on registry.withdrawals for delete to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy withdrawals_removal_read on registry.withdrawals for select to {owner} using (network_id = ( SELECT registry.current_network() AS current_network));
create policy withdrawals_write on registry.withdrawals for insert to public with check (network_id = ( SELECT registry.current_network() AS current_network));
CREATE TRIGGER withdrawals_append_only BEFORE DELETE OR UPDATE ON registry.withdrawals FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
CREATE TRIGGER withdrawals_no_truncate BEFORE TRUNCATE ON registry.withdrawals FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_change();
grant insert, select on registry.withdrawals to {app};
grant select on registry.withdrawals to {auditor};

-- partitions events_YYYYMM, each of them: r, row level security, forced, no privileges, partition of registry.events, columns log_index bigint not null p, at timestamp with time zone not null p, event_id uuid not null p, client_id uuid p, network_id integer not null p, actor_id integer p, sender_id integer p, recipient_id integer p, purpose_id smallint p, kind smallint not null p, outcome smallint p, nonce bytea not null e, event bytea not null x, person text x, indices 10

create function registry.append(p_network integer, p_at timestamp with time zone, p_ids uuid[], p_clients uuid[], p_actors integer[], p_senders integer[], p_recipients integer[], p_purposes smallint[], p_kinds smallint[], p_outcomes smallint[], p_persons text[], p_events bytea[], p_nonces bytea[], p_leaves bytea[]) returns bigint
    language plpgsql volatile
    as $$
declare
    size bigint;
begin
    perform pg_advisory_xact_lock((4 << 20) | p_network, 0);
    select coalesce(max(log_index) + 1, 0) into size from registry.leaves where network_id = p_network;
    insert into registry.events (network_id, log_index, at, event_id, client_id, actor_id, sender_id, recipient_id, purpose_id,
        kind, outcome, person, event, nonce)
    select p_network, size + ord - 1, p_at, id, client, actor, sender, recipient, purpose, kind, outcome, person, event, nonce
    from unnest(p_ids, p_clients, p_actors, p_senders, p_recipients, p_purposes, p_kinds, p_outcomes, p_persons, p_events,
        p_nonces)
        with ordinality as item (id, client, actor, sender, recipient, purpose, kind, outcome, person, event, nonce, ord);
    insert into registry.leaves (network_id, log_index, leaf)
    select p_network, size + ord - 1, leaf from unnest(p_leaves) with ordinality as item (leaf, ord);
    return size;
end
$$;
-- called by: {app}

create function registry.append_removal(p_network integer, p_kind smallint, p_indices bigint[], p_at timestamp with time zone, p_id uuid, p_event bytea, p_nonce bytea, p_leaf bytea) returns bigint
    language plpgsql volatile set search_path=pg_catalog, pg_temp
    as $$
declare
    said pg_catalog.jsonb := convert_from(p_event, 'UTF8')::pg_catalog.jsonb;
begin
    if said -> 'indices' is distinct from registry.spans(p_indices) then
        raise exception 'the event does not list what was removed' using errcode = 'serialization_failure';
    end if;
    -- Without an actor: the list's gaps would count what others wrote, so it is for auditors alone.
    return registry.append(p_network, p_at, array[p_id], array[null]::pg_catalog.uuid[], array[null]::integer[], array[null]::integer[],
        array[null]::integer[], array[null]::smallint[], array[p_kind], array[null]::smallint[], array[null]::pg_catalog.text[], array[p_event],
        array[p_nonce], array[p_leaf]);
end
$$;
-- called by: nobody

create function registry.clients_of_person(p_network integer, p_client uuid) returns uuid[]
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select array_agg(c.client_id order by c.client_id) from registry.clients c
    where c.network_id = p_network and c.client_id in (
        select p_client
        union
        select m.client_id from registry.current_memberships o
        join registry.current_memberships m on m.network_id = p_network and m.group_id = o.group_id
        where o.network_id = p_network and o.client_id = p_client)
$$;
-- called by: {eraser}

create function registry.clients_with_consents(p_network integer, p_before timestamp with time zone, p_after uuid, p_limit integer) returns SETOF uuid
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select distinct c.client_id from registry.consents c
    where c.network_id = p_network and c.recorded_at < least(p_before, (select registry.youngest_removable(p_network)))
        and (p_after is null or c.client_id > p_after)
    order by c.client_id limit p_limit
$$;
-- called by: {eraser}

create function registry.clients_without_consents(p_network integer, p_before timestamp with time zone, p_after uuid, p_limit integer) returns SETOF uuid
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select c.client_id from registry.clients c
    where c.network_id = p_network and c.recorded_at < least(p_before, (select registry.youngest_removable(p_network)))
        and (p_after is null or c.client_id > p_after)
        and not exists (select from registry.consents t where t.network_id = p_network and t.client_id = c.client_id)
    order by c.client_id limit p_limit
$$;
-- called by: {eraser}

create function registry.count_old_uses(p_network integer, p_before timestamp with time zone, p_without uuid[]) returns TABLE(kind smallint, number bigint)
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select e.kind, count(*) from registry.events e
    where e.network_id = p_network and e.kind = any (registry.kinds_of('use'))
        and e.at < least(p_before, (select registry.youngest_removable(p_network)))
        and (e.client_id is null or e.client_id <> all (p_without))
    group by e.kind
$$;
-- called by: {eraser}

create function registry.count_references(p_network integer, p_clients uuid[]) returns TABLE(partner_id integer, number integer)
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select r.partner_id, count(*)::integer from registry.client_references r
    where r.network_id = p_network and r.client_id = any (p_clients) group by r.partner_id
$$;
-- called by: {app}

create function registry.credential_holders(p_network integer) returns TABLE(client_id text, partner_id integer, scopes text[], secret_key text, secret_mac bytea, recorded_at timestamp with time zone)
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select c.client_id, c.partner_id, c.scopes, c.secret_key, sha256(c.secret_mac), c.recorded_at
    from registry.credentials c where c.network_id = p_network
$$;
-- called by: {auditor}

create function registry.current_network() returns integer
    language sql stable parallel safe
    as $$ select nullif(current_setting('registry.network', true), '')::integer $$;
-- called by: everybody

create function registry.current_partners() returns integer[]
    language sql stable parallel safe
    as $$ select nullif(current_setting('registry.partners', true), '')::integer[] $$;
-- called by: everybody

create function registry.drop_empty_event_partitions() returns integer
    language plpgsql volatile security definer set search_path=pg_catalog, pg_temp
    as $$
declare
    one pg_catalog.regclass;
    is_empty boolean;
    dropped integer := 0;
begin
    -- Dropping a partition holds the log alone for a moment, and whoever comes waits behind: better another day.
    set local lock_timeout = '1s';
    perform pg_advisory_xact_lock(5 << 20, 0);
    for one in
        select i.inhrelid::pg_catalog.regclass from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'registry.events'::pg_catalog.regclass and c.relname ~ '^events_[0-9]{6}$'
            and c.relname < 'events_' || to_char(statement_timestamp() at time zone 'UTC' - interval '2 months', 'YYYYMM')
        order by c.relname
    loop
        execute format('alter table %s no force row level security', one);
        execute format('select not exists (select from %s)', one) into is_empty;
        if is_empty then
            execute format('drop table %s', one);
            dropped := dropped + 1;
        else
            execute format('alter table %s force row level security', one);
        end if;
    end loop;
    return dropped;
end
$$;
-- called by: {eraser}

create function registry.drop_narrower_tiles(p_network integer, p_levels smallint[], p_numbers bigint[]) returns bigint
    language sql volatile security definer set search_path=pg_catalog, pg_temp
    as $$
    with gone as (
        delete from registry.tiles narrow
        using unnest(p_levels, p_numbers) as given (level, number), registry.tiles wide
        where narrow.network_id = p_network and narrow.level = given.level and narrow.number = given.number
            and wide.network_id = p_network and wide.level = given.level and wide.number = given.number
            and wide.width > narrow.width and substring(wide.data for 32 * narrow.width) = narrow.data
        returning 1
    ) select count(*) from gone
$$;
-- called by: {sealer}

create function registry.entries_of_consents(p_network integer, p_clients uuid[]) returns TABLE(log_index bigint, consent_id uuid)
    language sql stable set search_path=pg_catalog, pg_temp
    as $$
    with entry as (
        select e.log_index, e.event_id, e.client_id, convert_from(e.event, 'UTF8')::pg_catalog.jsonb as said
        from registry.events e
        where e.network_id = p_network and e.client_id = any (p_clients) and e.kind <> all (registry.kinds_of('use'))
    ), act as (
        select c.consent_id, c.client_id, c.consent_id as act_id from registry.consents c
        where c.network_id = p_network and c.client_id = any (p_clients)
        union
        select g.consent_id, g.client_id, x.act_id from registry.grants g
        join registry.grant_changes x on x.network_id = p_network and x.grant_id = g.grant_id
        where g.network_id = p_network and g.client_id = any (p_clients) and x.kind <> 'withdrawn'
        union
        select r.consent_id, r.client_id, x.act_id from registry.releases r
        join registry.release_changes x on x.network_id = p_network and x.release_id = r.release_id
        where r.network_id = p_network and r.client_id = any (p_clients) and x.kind <> 'withdrawn'
    ), told as (
        select distinct a.consent_id, e.client_id, coalesce(e.said ->> 'act', e.event_id::pg_catalog.text) as act
        from entry e join act a on a.client_id = e.client_id
            and (e.event_id = a.act_id or e.said ->> 'consent' = a.consent_id::pg_catalog.text)
    )
    select distinct e.log_index, t.consent_id from entry e
    join told t on t.client_id = e.client_id and t.act in (e.said ->> 'act', e.event_id::pg_catalog.text)
$$;
-- called by: nobody

create function registry.erase_clients(p_network integer, p_clients uuid[], p_questions bigint[], p_ground text, p_at timestamp with time zone, p_id uuid, p_event bytea, p_nonce bytea, p_leaf bytea) returns TABLE(log_index bigint, partitions text[])
    language plpgsql volatile security definer set search_path=pg_catalog, pg_temp
    as $$
declare
    gone bigint[];
begin
    execute format('set local registry.network = %L', p_network);
    perform registry.lock_clients(p_network, p_clients);
    if exists (select from registry.holds h where h.network_id = p_network and h.client_id = any (p_clients)
        and not exists (select from registry.hold_liftings l where l.network_id = p_network and l.hold_id = h.hold_id)) then
        raise exception 'a legal hold stands against this' using errcode = 'restrict_violation';
    end if;
    with removed as (
        delete from registry.events e where e.network_id = p_network and (e.client_id = any (p_clients)
            or e.log_index = any (p_questions) and e.client_id is null and e.kind = registry.kind('decision'))
        returning e.log_index, e.tableoid
    ) select array_agg(r.log_index), array_agg(distinct r.tableoid::pg_catalog.regclass::pg_catalog.text) into gone, partitions from removed r;
    perform registry.remove_rows(p_network, p_clients, '{}', '{}', '{}');
    insert into registry.erasures (network_id, erasure_id, ground, events, recorded_at)
    values (p_network, p_id, p_ground, coalesce(cardinality(gone), 0), p_at);
    log_index := registry.append_removal(p_network, registry.kind('erasure'), coalesce(gone, '{}'), p_at, p_id, p_event,
        p_nonce, p_leaf);
    return next;
end
$$;
-- called by: {eraser}

create function registry.event_places(p_network integer, p_events uuid[]) returns TABLE(event_id uuid, log_index bigint)
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select e.event_id, e.log_index from registry.events e where e.network_id = p_network and e.event_id = any (p_events)
$$;
-- called by: {app}

create function registry.find_client(p_network integer, p_partner text, p_digests bytea[]) returns uuid
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select r.client_id from registry.client_references r
    join registry.partners p on p.network_id = r.network_id and p.partner_id = r.partner_id
    where r.network_id = p_network and p.slug = p_partner and r.digest = any (p_digests)
$$;
-- called by: {eraser}

create function registry.find_client_of_consent(p_network integer, p_consent uuid) returns uuid
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select c.client_id from registry.consents c where c.network_id = p_network and c.consent_id = p_consent
$$;
-- called by: {eraser}

create function registry.forget_idempotency_keys(p_network integer) returns bigint
    language sql volatile security definer set search_path=pg_catalog, pg_temp
    as $$
    with gone as (
        delete from registry.idempotency_keys
        where network_id = p_network and recorded_at < statement_timestamp() - interval '48 hours' returning 1
    ) select count(*) from gone
$$;
-- called by: {app}

create function registry.held_clients(p_network integer) returns uuid[]
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select coalesce(array_agg(distinct one), '{}') from registry.holds h,
        lateral unnest(registry.clients_of_person(p_network, h.client_id)) as one
    where h.network_id = p_network and not exists (
        select from registry.hold_liftings l where l.network_id = p_network and l.hold_id = h.hold_id)
$$;
-- called by: {eraser}

create function registry.kind(p_name text) returns smallint
    language plpgsql immutable parallel safe strict
    as $$
begin
    case p_name
        when 'decision' then return 1;
        when 'client' then return 2;
        when 'consent' then return 3;
        when 'withdrawal' then return 4;
        when 'transfer' then return 5;
        when 'read' then return 6;
        when 'suspension' then return 7;
        when 'reinstatement' then return 8;
        when 'credential_revocation' then return 9;
        when 'catalogue' then return 10;
        when 'credential' then return 11;
        when 'confirmation' then return 12;
        when 'ending' then return 13;
        when 'invalidation' then return 14;
        when 'restriction' then return 15;
        when 'restriction_lifting' then return 16;
        when 'approval' then return 17;
        when 'approval_revocation' then return 18;
        when 'text' then return 19;
        when 'stale_translation' then return 20;
        when 'text_invalidation' then return 21;
        when 'link_code' then return 22;
        when 'link' then return 23;
        when 'unlinking' then return 24;
        when 'receipt_code' then return 25;
        when 'key_rotation' then return 26;
        when 'erasure' then return 27;
        when 'retention' then return 28;
        when 'hold' then return 29;
        when 'hold_lifting' then return 30;
        when 'evidence' then return 35;
        when 'padding' then return 37;
        when 'renewal' then return 38;
        when 'policy' then return 40;
        when 'late_withdrawal' then return 45;
    end case;
end
$$;
-- called by: everybody

create function registry.kinds_of(p_class text) returns smallint[]
    language plpgsql immutable parallel safe strict
    as $$
begin
    case p_class
        when 'use' then return array[1, 5, 6];
        when 'state' then return array[2, 3, 4, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 29, 30, 35, 37, 38, 40, 45];
        when 'permanent' then return array[26, 27, 28];
    end case;
end
$$;
-- called by: everybody

create function registry.known_clients(p_network integer, p_clients uuid[]) returns uuid[]
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select coalesce(array_agg(c.client_id order by c.client_id), '{}') from registry.clients c
    where c.network_id = p_network and c.client_id = any (p_clients)
$$;
-- called by: {app}, {eraser}

create function registry.last_weeks(p_network integer, p_before bigint) returns TABLE(low bigint, since timestamp with time zone)
    language plpgsql stable security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan
    as $$
declare
    begins pg_catalog.timestamptz;
    first_id pg_catalog.uuid;
begin
    select e.at - interval '35 days' into begins from registry.events e
    where e.network_id = p_network and e.log_index < p_before order by e.log_index desc limit 1;
    first_id := (lpad(to_hex(greatest(floor(extract(epoch from begins) * 1000), 0)::bigint), 12, '0') || repeat('0', 20))::pg_catalog.uuid;
    return query select max(e.log_index) + 1, begins - interval '3 days'
    from (select n.log_index, n.network_id from registry.events n
        where n.event_id < first_id order by n.event_id desc limit 200) e where e.network_id = p_network;
end
$$;
-- called by: {app}

create function registry.latest_event_at(p_network integer) returns timestamp with time zone
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select max(e.at) from (
        select l.at from registry.events l where l.network_id = p_network order by l.log_index desc limit 10000) e
$$;
-- called by: {app}

create function registry.lock_clients(p_network integer, p_clients uuid[]) returns void
    language plpgsql volatile security definer set search_path=pg_catalog, pg_temp
    as $$
declare
    number integer;
begin
    perform pg_advisory_xact_lock_shared((2 << 20) | p_network, 0);
    for number in
        select ('x' || substr(c::pg_catalog.text, 1, 8))::bit(32)::integer from unnest(p_clients) as c
        union
        select ('x' || encode(substr(r.digest, 1, 4), 'hex'))::bit(32)::integer from registry.client_references r
        where r.network_id = p_network and r.client_id = any (p_clients)
        order by 1
    loop
        perform pg_advisory_xact_lock((3 << 20) | p_network, number);
    end loop;
end
$$;
-- called by: {eraser}

create function registry.log_sizes() returns TABLE(network_id integer, slug text, log_origin text, log_size bigint)
    language plpgsql volatile
    as $$
declare
    one pg_catalog.record;
begin
    for one in select n.network_id, n.slug, n.log_origin from registry.networks n order by n.network_id loop
        execute format('set local registry.network = %L', one.network_id);
        network_id := one.network_id;
        slug := one.slug;
        log_origin := one.log_origin;
        select coalesce(max(l.log_index) + 1, 0) into log_size from registry.leaves l where l.network_id = one.network_id;
        return next;
    end loop;
    set local registry.network = '';
end
$$;
-- called by: {sealer}

create function registry.make_event_partitions(p_months integer, p_bytes bigint DEFAULT 16777216) returns integer
    language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set lock_timeout=500ms
    as $$
declare
    first_day pg_catalog.date := date_trunc('month', statement_timestamp() at time zone 'UTC');
    partition_name pg_catalog.text;
    month_from pg_catalog.timestamptz;
    month_until pg_catalog.timestamptz;
    kept_back bigint;
    made integer := 0;
begin
    -- One at a time: two processes may find the same month missing.
    perform pg_advisory_xact_lock(5 << 20, 0);
    for ahead in -1 .. p_months loop
        partition_name := 'events_' || to_char(first_day + make_interval(months => ahead), 'YYYYMM');
        continue when exists (
            select from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
            where i.inhparent = 'registry.events'::pg_catalog.regclass and c.relname = partition_name);
        kept_back := pg_table_size('registry.events_default');
        if kept_back > p_bytes then
            raise warning 'events_default holds % bytes: % is not made, run consent-registry migrate', kept_back, partition_name;
            return made;
        end if;
        month_from := (first_day + make_interval(months => ahead)) at time zone 'UTC';
        month_until := (first_day + make_interval(months => ahead + 1)) at time zone 'UTC';
        if ahead <= 0 or pg_relation_size('registry.events_default') > 0 then
            lock table registry.events in access exclusive mode;
        end if;
        execute format('create table registry.%I (like registry.events including defaults including constraints including storage)',
            partition_name);
        if pg_relation_size('registry.events_default') > 0 then
            -- Forced row-level security hides DEFAULT's rows from the owner too. It is lifted and forced again in one
            -- transaction under an exclusive lock: nobody else ever sees it lifted.
            alter table registry.events_default no force row level security;
            execute format('insert into registry.%I select * from registry.events_default where at >= $1 and at < $2', partition_name)
                using month_from, month_until;
            delete from registry.events_default where at >= month_from and at < month_until;
            if not exists (select from registry.events_default) then
                truncate registry.events_default;
            end if;
            alter table registry.events_default force row level security;
        end if;
        execute format('alter table registry.%I enable row level security', partition_name);
        execute format('alter table registry.%I force row level security', partition_name);
        execute format('alter table registry.events attach partition registry.%I for values from (%L) to (%L)', partition_name,
            month_from, month_until);
        made := made + 1;
    end loop;
    return made;
end
$$;
-- called by: {app}

create function registry.make_removable(p_table text) returns void
    language plpgsql volatile set search_path=pg_catalog, pg_temp
    as $$
begin
    execute format('create policy %I on registry.%I for select to {owner} using (network_id = (select registry.current_network()))',
        p_table || '_removal_read', p_table);
    execute format('create policy %I on registry.%I for delete to {owner} using (network_id = (select registry.current_network()))',
        p_table || '_removal', p_table);
end
$$;
-- called by: nobody

create procedure registry.make_tenant_table(IN p_table text, IN p_partners text DEFAULT NULL::text, IN p_app text DEFAULT 'select, insert'::text, IN p_audited boolean DEFAULT false, IN p_append_only boolean DEFAULT false, IN p_encrypted text DEFAULT NULL::text)
    language plpgsql volatile set search_path=pg_catalog, pg_temp
    as $$
declare
    of_network constant pg_catalog.text := 'network_id = (select registry.current_network())';
begin
    execute format('alter table registry.%I enable row level security', p_table);
    execute format('alter table registry.%I force row level security', p_table);
    execute format('create policy %I on registry.%I for select using (%s%s)',
        p_table || '_read', p_table, of_network, coalesce(' and ' || p_partners, ''));
    execute format('create policy %I on registry.%I for insert with check (%s)', p_table || '_write', p_table, of_network);
    execute format('grant %s on registry.%I to {app}', p_app, p_table);
    if p_audited then
        execute format('grant select on registry.%I to {auditor}', p_table);
    end if;
    if p_audited and p_partners is not null then
        execute format('create policy %I on registry.%I for select to {auditor} using (%s)', p_table || '_audit', p_table, of_network);
    end if;
    if p_append_only then
        execute format('create trigger %I before update or delete on registry.%I for each row execute function registry.refuse_change(%s)',
            p_table || '_append_only', p_table, coalesce(quote_literal(p_encrypted), ''));
        execute format('create trigger %I before truncate on registry.%I for each statement execute function registry.refuse_change()',
            p_table || '_no_truncate', p_table);
    end if;
    if p_encrypted is not null then
        execute format('create policy %I on registry.%I for update to {owner} using (%s)', p_table || '_reseal', p_table, of_network);
    end if;
end
$$;
-- called by: nobody

create function registry.old_uses(p_network integer, p_before timestamp with time zone, p_after bigint, p_limit integer) returns TABLE(log_index bigint, kind smallint, at timestamp with time zone, client_id uuid)
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select e.log_index, e.kind, e.at, e.client_id from registry.events e
    where e.network_id = p_network and e.kind = any (registry.kinds_of('use')) and e.log_index > p_after
        and e.at < least(p_before, (select registry.youngest_removable(p_network)))
    order by e.log_index limit p_limit
$$;
-- called by: {eraser}

create function registry.partner_number(p_network integer, p_partner text) returns integer
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select p.partner_id from registry.partners p where p.network_id = p_network and p.slug = p_partner
$$;
-- called by: {eraser}

create function registry.permits_received(p_network integer, p_low bigint, p_before bigint, p_from timestamp with time zone, p_until timestamp with time zone, p_limit integer, p_sender integer, p_purpose smallint, p_outcome smallint) returns TABLE(log_index bigint, at timestamp with time zone, event_id uuid, actor_id integer, recipient_id integer, purpose_id smallint, outcome smallint)
    language plpgsql stable security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan
    as $$
begin
    return query
    select p.log_index, p.at, p.event_id, f.sender_id, f.recipient_id, f.purpose_id, o.outcome
    from (
        select distinct g.sender_id, g.recipient_id, g.purpose_id from registry.flows g
        where g.network_id = p_network and g.recipient_id = any ((select registry.current_partners())::integer[])
            and (p_sender is null or g.sender_id = p_sender) and (p_purpose is null or g.purpose_id = p_purpose)
    ) f
    cross join (values (1::smallint), (2::smallint)) as o (outcome)
    cross join lateral (
        select e.log_index, e.at, e.event_id from registry.events e
        where e.network_id = p_network and e.kind = registry.kind('decision') and e.actor_id = f.sender_id and e.recipient_id = f.recipient_id
            and e.purpose_id = f.purpose_id and e.outcome = o.outcome and e.log_index >= p_low and e.log_index < p_before
            and e.at >= p_from and e.at < p_until
        order by e.log_index desc limit p_limit
    ) p
    where p_outcome is null or o.outcome = p_outcome
    order by p.log_index desc limit p_limit;
end
$$;
-- called by: {app}

create function registry.person_records(p_network integer, p_clients uuid[]) returns TABLE(client_id uuid, recorded_at timestamp with time zone, consents bigint, kinds smallint[], last_event_at timestamp with time zone)
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select c.client_id, c.recorded_at,
        (select count(*) from registry.consents t where t.network_id = p_network and t.client_id = any (p.ids)),
        e.kinds, e.last_event_at
    from registry.clients c
    cross join lateral (select registry.clients_of_person(p_network, c.client_id) as ids) p
    cross join lateral (
        select coalesce(array_agg(distinct o.kind), '{}') as kinds, max(o.at) as last_event_at from registry.events o
        where o.network_id = p_network and o.client_id = any (p.ids)) e
    where c.network_id = p_network and c.client_id = any (p_clients)
$$;
-- called by: {eraser}

create function registry.places_between(p_network integer, p_from timestamp with time zone, p_until timestamp with time zone) returns TABLE(low bigint, high bigint)
    language plpgsql stable security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan
    as $$
declare
    first_id pg_catalog.uuid := (lpad(to_hex(greatest(floor(extract(epoch from p_from) * 1000), 0)::bigint), 12, '0') || repeat('0', 20))::pg_catalog.uuid;
    last_id pg_catalog.uuid := (lpad(to_hex(greatest(floor(extract(epoch from p_until) * 1000), 0)::bigint + 1), 12, '0')
        || repeat('0', 20))::pg_catalog.uuid;
begin
    return query select
        (select min(e.log_index) from (select n.log_index, n.network_id from registry.events n
            where n.event_id >= first_id order by n.event_id limit 1000) e where e.network_id = p_network),
        (select max(e.log_index) from (select n.log_index, n.network_id from registry.events n
            where n.event_id < last_id order by n.event_id desc limit 1000) e where e.network_id = p_network);
end
$$;
-- called by: {app}

create function registry.questions_about_nobody(p_network integer, p_partner integer, p_after bigint, p_before bigint, p_limit integer) returns TABLE(log_index bigint, nonce bytea, event bytea)
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select e.log_index, e.nonce, e.event from registry.events e
    where e.network_id = p_network and e.sender_id = p_partner and e.kind = registry.kind('decision') and e.client_id is null
      and e.log_index > p_after and e.log_index < p_before
    order by e.log_index limit p_limit
$$;
-- called by: {eraser}

create function registry.reason_to_keep(p_network integer, p_consents uuid[], p_clients uuid[], p_places bigint[]) returns text
    language plpgsql stable set search_path=pg_catalog, pg_temp
    as $$
declare
    youngest pg_catalog.timestamptz := registry.youngest_removable(p_network);
    held pg_catalog.uuid[] := registry.held_clients(p_network);
    removable smallint[] := registry.kinds_of('use') || registry.kinds_of('state');
    concerned pg_catalog.uuid[];
begin
    select coalesce(array_agg(distinct c.client_id), '{}') || p_clients into concerned from registry.consents c
    where c.network_id = p_network and c.consent_id = any (p_consents);
    if concerned && held or exists (select from registry.events e
        where e.network_id = p_network and e.log_index = any (p_places) and e.client_id = any (held)) then
        return 'a legal hold stands against this';
    end if;
    if exists (select from registry.events e
        where e.network_id = p_network and e.log_index = any (p_places) and e.kind <> all (removable)) then
        return 'an event of a permanent or unknown kind is never removed';
    end if;
    if exists (select from registry.events e
            where e.network_id = p_network and e.log_index = any (p_places) and e.at >= youngest)
        or exists (select from registry.consents c
            where c.network_id = p_network and c.consent_id = any (p_consents) and c.recorded_at >= youngest)
        or exists (select from registry.clients c
            where c.network_id = p_network and c.client_id = any (p_clients) and c.recorded_at >= youngest) then
        return 'something is younger than the network''s shortest period';
    end if;
    -- A grant that nobody ended ends with its validity, or with that of its renewal.
    if exists (select from registry.grants g
        where g.network_id = p_network and g.consent_id = any (p_consents) and g.answer <> 'refused'
            and greatest(g.valid_until, (select max(x.valid_until) from registry.grant_changes x
                where x.network_id = p_network and x.grant_id = g.grant_id)) >= youngest
            and not exists (select from registry.grant_changes x where x.network_id = p_network and x.grant_id = g.grant_id
                and (x.kind in ('ended', 'invalidated') or x.kind = 'withdrawn' and x.category_ids is null))) then
        return 'a consent is valid, or was until lately';
    end if;
    if exists (select from registry.consents c where c.network_id = p_network and c.client_id = any (p_clients)
        and c.consent_id <> all (p_consents)) then
        return 'a client stays as long as its consents';
    end if;
    -- A state event goes with its client, or with all the consents that it tells of.
    if exists (select from registry.events e
        where e.network_id = p_network and e.log_index = any (p_places) and e.kind = any (registry.kinds_of('state'))
            and (e.client_id is null or e.client_id <> all (concerned)))
        or exists (select from registry.events e
            left join registry.entries_of_consents(p_network, concerned) t on t.log_index = e.log_index
            where e.network_id = p_network and e.log_index = any (p_places) and e.kind = any (registry.kinds_of('state'))
                and e.client_id <> all (p_clients) and (t.consent_id is null or t.consent_id <> all (p_consents))) then
        return 'a state event stays as long as its consent';
    end if;
    -- Rows never go without their entries.
    if exists (select from registry.entries_of_consents(p_network, concerned) t
            where t.consent_id = any (p_consents) and t.log_index <> all (p_places))
        or exists (select from registry.events e
            where e.network_id = p_network and e.client_id = any (p_clients) and e.log_index <> all (p_places)) then
        return 'an entry that tells of this is not named';
    end if;
    return null;
end
$$;
-- called by: nobody

create function registry.references_of(p_network integer, p_clients uuid[]) returns TABLE(partner_id integer, client_id uuid, digest bytea, sealed bytea, before bigint)
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select r.partner_id, r.client_id, r.digest, r.sealed, (select max(e.log_index) from registry.events e
        where e.network_id = p_network and e.client_id = any (p_clients) and e.kind <> all (registry.kinds_of('use')))
    from registry.client_references r where r.network_id = p_network and r.client_id = any (p_clients)
$$;
-- called by: {eraser}

create function registry.refuse_change() returns trigger
    language plpgsql volatile
    as $$
begin
    if tg_op = 'DELETE' and current_setting('registry.removal', true) = 'on'
        and tg_table_name not in ('leaves', 'texts', 'text_languages', 'key_rotations') then
        return old;
    end if;
    if tg_op = 'UPDATE' and tg_nargs = 1 then
        if (to_jsonb(old) ->> tg_argv[0]) is not null and (to_jsonb(new) ->> tg_argv[0]) is not null
            and to_jsonb(old) - tg_argv[0] = to_jsonb(new) - tg_argv[0] then
            return new;
        end if;
    end if;
    raise exception 'registry.% is append-only', tg_table_name using errcode = 'restrict_violation';
end
$$;
-- called by: everybody

create function registry.removable_tables() returns TABLE(name text, depth integer)
    language sql stable set search_path=pg_catalog, pg_temp
    as $$
    with recursive removable as (
        select c.oid, c.relname from pg_catalog.pg_class c join pg_catalog.pg_policy p on p.polrelid = c.oid and p.polcmd = 'd'
        where c.relnamespace = 'registry'::pg_catalog.regnamespace and p.polname = c.relname || '_removal' and c.relname <> 'events'
    ), below (oid, depth) as (
        select oid, 0 from removable
        union
        select f.conrelid, b.depth + 1 from below b
        join pg_catalog.pg_constraint f on f.confrelid = b.oid and f.contype = 'f' and f.conrelid <> f.confrelid
        join removable r on r.oid = f.conrelid
    )
    select r.relname::pg_catalog.text, max(b.depth) from below b join removable r using (oid)
    group by r.relname order by max(b.depth) desc, r.relname
$$;
-- called by: nobody

create function registry.removal_network(p_slug text) returns TABLE(network_id integer, slug text, name text, about text, log_origin text)
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select n.network_id, n.slug, n.name, n.about, n.log_origin from registry.networks n where n.slug = p_slug
$$;
-- called by: {eraser}

create function registry.removal_rule(p_table text) returns text
    language sql stable set search_path=pg_catalog, pg_temp
    as $$
    select '(' || string_agg(case attname when 'client_ids' then 'client_ids && $2' when 'client_id' then 'client_id = any ($2)'
        when 'consent_id' then 'consent_id = any ($3)' when 'grant_id' then 'grant_id = any ($4)'
        else 'release_id = any ($5)' end, ' or ') || ')'
    from pg_catalog.pg_attribute where attrelid = format('registry.%I', p_table)::pg_catalog.regclass and not attisdropped
        and attname in ('client_id', 'client_ids', 'consent_id', 'grant_id', 'release_id')
$$;
-- called by: nobody

create function registry.remove_rows(p_network integer, p_clients uuid[], p_consents uuid[], p_grants uuid[], p_releases uuid[]) returns jsonb
    language plpgsql volatile set search_path=pg_catalog, pg_temp
    as $$
declare
    removed pg_catalog.jsonb := '{}';
    one pg_catalog.text;
    number bigint;
begin
    set local registry.removal = 'on';
    for one in select name from registry.removable_tables() loop
        execute format('delete from registry.%I where network_id = $1 and %s', one, registry.removal_rule(one))
            using p_network, p_clients, p_consents, p_grants, p_releases;
        get diagnostics number = row_count;
        removed := removed || jsonb_build_object(one, number);
    end loop;
    set local registry.removal = '';
    return removed;
end
$$;
-- called by: nobody

create function registry.retain(p_network integer, p_consents uuid[], p_clients uuid[], p_places bigint[], p_at timestamp with time zone, p_id uuid, p_event bytea, p_nonce bytea, p_leaf bytea) returns bigint
    language plpgsql volatile security definer set search_path=pg_catalog, pg_temp
    as $$
declare
    said pg_catalog.jsonb := convert_from(p_event, 'UTF8')::pg_catalog.jsonb;
    concerned pg_catalog.uuid[];
    reason pg_catalog.text;
    removed pg_catalog.jsonb;
    gone bigint[];
begin
    if p_consents is null or p_clients is null or p_places is null then
        raise exception 'what is to go must be named' using errcode = 'null_value_not_allowed';
    end if;
    execute format('set local registry.network = %L', p_network);
    select coalesce(array_agg(distinct c.client_id), '{}') || p_clients into concerned from registry.consents c
    where c.network_id = p_network and c.consent_id = any (p_consents);
    perform registry.lock_clients(p_network, concerned);
    reason := registry.reason_to_keep(p_network, p_consents, p_clients, p_places);
    if reason is not null then
        raise exception '%', reason using errcode = 'restrict_violation';
    end if;
    set local registry.removal = 'on';
    delete from registry.transfers t where t.network_id = p_network and t.transfer_id in (
        select e.event_id from registry.events e where e.network_id = p_network and e.log_index = any (p_places)
            and e.kind = registry.kind('transfer'));
    removed := registry.remove_rows(p_network, p_clients, p_consents,
        array(select g.grant_id from registry.grants g where g.network_id = p_network and g.consent_id = any (p_consents)),
        array(select r.release_id from registry.releases r where r.network_id = p_network and r.consent_id = any (p_consents)));
    with emptied as (
        delete from registry.events e where e.network_id = p_network and e.log_index = any (p_places) returning e.log_index
    ) select coalesce(array_agg(e.log_index), '{}') into gone from emptied e;
    if said -> 'consents' is distinct from removed -> 'consents' or said -> 'clients' is distinct from removed -> 'clients' then
        raise exception 'the event does not count what was removed' using errcode = 'serialization_failure';
    end if;
    insert into registry.retentions (network_id, retention_id, events, recorded_at)
    values (p_network, p_id, cardinality(gone), p_at);
    return registry.append_removal(p_network, registry.kind('retention'), gone, p_at, p_id, p_event, p_nonce, p_leaf);
end
$$;
-- called by: {eraser}

create function registry.retention_clock(p_network integer) returns TABLE(use_years smallint, consent_years smallint, now timestamp with time zone)
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select t.use_years, t.consent_years, registry.retention_now()
    from (select p.use_years, p.consent_years, 1 as rank, p.period_id::pg_catalog.text as latest from registry.retention_periods p
            where p.network_id = p_network union all select 3::smallint, 3::smallint, 2, '') t
    order by t.rank, t.latest desc limit 1
$$;
-- called by: {app}, {eraser}

create function registry.retention_now() returns timestamp with time zone
    language sql stable
    as $$ select statement_timestamp() $$;
-- called by: nobody

create function registry.retention_records(p_network integer, p_clients uuid[]) returns jsonb
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select coalesce(jsonb_agg(jsonb_build_object(
        'client_id', c.client_id,
        'consents', (select coalesce(jsonb_agg(jsonb_build_object(
            'consent_id', t.consent_id, 'recorded_at', t.recorded_at,
            'grants', (select coalesce(jsonb_agg(jsonb_build_object(
                'grant_id', g.grant_id, 'answer', g.answer, 'valid_until', g.valid_until,
                'changes', (select coalesce(jsonb_agg(jsonb_build_object(
                    'act_id', x.act_id, 'kind', x.kind, 'whole', x.category_ids is null, 'valid_until', x.valid_until,
                    'recorded_at', x.recorded_at)), '[]')
                    from registry.grant_changes x where x.network_id = p_network and x.grant_id = g.grant_id))), '[]')
                from registry.grants g where g.network_id = p_network and g.consent_id = t.consent_id),
            'release_acts', (select coalesce(jsonb_agg(x.act_id), '[]')
                from registry.releases r join registry.release_changes x
                    on x.network_id = p_network and x.release_id = r.release_id
                where r.network_id = p_network and r.consent_id = t.consent_id and x.kind <> 'withdrawn')) order by t.consent_id), '[]')
            from registry.consents t where t.network_id = p_network and t.client_id = c.client_id),
        'transfers', (select coalesce(jsonb_agg(jsonb_build_object(
            'at', greatest(t.transferred_at, t.recorded_at), 'grants', case when e.event is null then null
                else coalesce(convert_from(e.event, 'UTF8')::pg_catalog.jsonb -> 'grants', '[]') end)), '[]')
            from registry.transfers t
            left join registry.events e on e.network_id = p_network and e.event_id = t.decision_id
            where t.network_id = p_network and t.client_id = c.client_id),
        'entries', (select coalesce(jsonb_agg(jsonb_build_object(
            'log_index', s.log_index, 'event_id', s.event_id, 'kind', s.kind, 'at', s.at, 'act', s.said ->> 'act',
            'consent', s.said ->> 'consent') order by s.log_index), '[]')
            from (select e.log_index, e.event_id, e.kind, e.at, convert_from(e.event, 'UTF8')::pg_catalog.jsonb as said
                from registry.events e
                where e.network_id = p_network and e.client_id = c.client_id
                    and e.kind <> all (registry.kinds_of('use'))) s)) order by c.client_id), '[]')
    from registry.clients c where c.network_id = p_network and c.client_id = any (p_clients)
$$;
-- called by: {eraser}

create procedure registry.set_callers(IN p_function text, IN p_roles text[] DEFAULT '{}'::text[])
    language plpgsql volatile set search_path=pg_catalog, pg_temp
    as $$
declare
    signature pg_catalog.regprocedure := case when p_function ~ '[(]' then p_function::pg_catalog.regprocedure::pg_catalog.oid
        else p_function::pg_catalog.regproc::pg_catalog.oid end;
    role_name pg_catalog.text;
begin
    execute format('revoke all on routine %s from public', signature);
    for role_name in
        select a.grantee::pg_catalog.regrole::pg_catalog.text from pg_catalog.pg_proc p, aclexplode(p.proacl) a
        where p.oid = signature and a.grantee not in (0, p.proowner)
    loop
        execute format('revoke all on routine %s from %s', signature, role_name);
    end loop;
    foreach role_name in array p_roles loop
        execute format('grant execute on routine %s to %I', signature, role_name);
    end loop;
end
$$;
-- called by: nobody

create function registry.spans(p_indices bigint[]) returns jsonb
    language sql immutable set search_path=pg_catalog, pg_temp
    as $$
    select coalesce(jsonb_agg(jsonb_build_array(low, high) order by low), '[]') from (
        select min(i) as low, max(i) as high
        from (select i, i - row_number() over (order by i) as run from unnest(p_indices) as i) as numbered group by run
    ) as runs
$$;
-- called by: nobody

create function registry.survey_clients(p_network integer, p_clients uuid[]) returns jsonb
    language plpgsql stable security definer set search_path=pg_catalog, pg_temp
    as $$
declare
    tables pg_catalog.jsonb := '{}';
    one pg_catalog.text;
    number bigint;
    found pg_catalog.jsonb;
begin
    for one in select name from registry.removable_tables() loop
        execute format('select count(*) from registry.%I where network_id = $1 and %s', one, registry.removal_rule(one))
            into number using p_network, p_clients, '{}'::pg_catalog.uuid[], '{}'::pg_catalog.uuid[], '{}'::pg_catalog.uuid[];
        tables := tables || jsonb_build_object(one, number);
    end loop;
    select jsonb_build_object('events', coalesce(jsonb_object_agg(kind, amount), '{}'),
        'state', registry.spans((select array_agg(s.log_index) from registry.events s
            where s.network_id = p_network and s.client_id = any (p_clients) and s.kind <> all (registry.kinds_of('use'))))) into found
    from (select kind, count(*) as amount from registry.events
        where network_id = p_network and client_id = any (p_clients) group by kind) as kinds;
    return found || jsonb_build_object(
        'tables', tables,
        'indices', (select registry.spans(array_agg(log_index)) from registry.events
            where network_id = p_network and client_id = any (p_clients)),
        'partners', (select coalesce(jsonb_agg(distinct p.slug), '[]') from registry.partners p
            where p.network_id = p_network and p.partner_id in (
                select partner_id from registry.client_references where network_id = p_network and client_id = any (p_clients)
                union select unnest(partner_ids) from registry.consents where network_id = p_network and client_id = any (p_clients)
                union select sender_id from registry.events where network_id = p_network and client_id = any (p_clients)
                union select recipient_id from registry.events
                    where network_id = p_network and client_id = any (p_clients))),
        'holds', (select coalesce(jsonb_agg(jsonb_build_object('hold', h.hold_id, 'norm', h.norm) order by h.hold_id), '[]')
            from registry.holds h where h.network_id = p_network and h.client_id = any (p_clients) and not exists (
                select from registry.hold_liftings l where l.network_id = p_network and l.hold_id = h.hold_id)));
end
$$;
-- called by: {eraser}

create function registry.thin_checkpoints(p_network integer) returns bigint
    language sql volatile security definer set search_path=pg_catalog, pg_temp
    as $$
    with ranked as (
        select c.size, c.published_at, row_number() over (
            partition by date_trunc('hour', c.published_at, 'UTC') order by c.size desc, c.published_at desc) as place
        from registry.checkpoints c
        where c.network_id = p_network and c.published_at < statement_timestamp() - interval '1 day'
    ), gone as (
        delete from registry.checkpoints c using ranked
        where c.network_id = p_network and c.size = ranked.size and c.published_at = ranked.published_at
            and ranked.place > 1
        returning 1
    ) select count(*) from gone
$$;
-- called by: {sealer}

create function registry.withdrawals_of_clients(p_network integer, p_clients uuid[]) returns TABLE(act_id uuid, received_at timestamp with time zone, covers text, covered_flows jsonb, partner_id integer, category_ids smallint[])
    language sql stable security definer set search_path=pg_catalog, pg_temp
    as $$
    select distinct on (w.act_id) w.act_id, w.received_at, w.covers, w.covered_flows,
        case w.covers when 'partner' then w.partner_id end, w.category_ids
    from registry.withdrawals w
    where w.network_id = p_network and w.client_id = any (p_clients) and w.covers <> 'consent'
    order by w.act_id, w.withdrawal_id
$$;
-- called by: {app}

create function registry.youngest_removable(p_network integer) returns timestamp with time zone
    language sql stable set search_path=pg_catalog, pg_temp
    as $$
    select (date_trunc('year', c.now at time zone 'Europe/Berlin')
        - make_interval(years => least(c.use_years, c.consent_years))) at time zone 'Europe/Berlin'
    from registry.retention_clock(p_network) c
$$;
-- called by: nobody
