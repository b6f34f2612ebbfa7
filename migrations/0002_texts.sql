-- Why: what clients are asked to agree to, in their languages.
-- Survives the previous release: there is none.

-- A published text never changes: a new wording is a new version.
-- asked_flows: the flows it asks about, by slugs. informs: the codes of what it tells the client. in_use_since, in_use_until:
-- German days, both included. form_sha256: the hash of the form that was used before the text was published here.
create table texts (
    network_id integer not null references networks,
    text_id uuid not null,
    version text not null,
    asked_flows jsonb not null,
    informs text[] not null,
    in_use_since date not null,
    in_use_until date,
    form_sha256 bytea,
    recorded_at timestamptz not null,
    constraint texts_pkey primary key (network_id, text_id),
    constraint texts_version_key unique (network_id, version),
    constraint texts_form_sha256_check check (octet_length(form_sha256) = 32)
);
call make_tenant_table('texts', p_audited => true, p_append_only => true);

-- aliases: what the text calls purposes and data categories, beside their names in the catalogue.
create table text_languages (
    network_id integer not null,
    text_id uuid not null,
    language text collate "C" not null,
    content bytea not null,
    sha256 bytea not null,
    translation_of bytea not null,
    aliases jsonb not null,
    constraint text_languages_pkey primary key (network_id, text_id, language),
    constraint text_languages_text_fkey foreign key (network_id, text_id) references texts,
    constraint text_languages_sha256_check check (sha256 = pg_catalog.sha256(content))
);
call make_tenant_table('text_languages', p_audited => true, p_append_only => true);

-- Without a language all of the text is void. Who recorded consents on it is told by `changes`.
create table text_invalidations (
    network_id integer not null,
    invalidation_id uuid not null,
    text_id uuid not null,
    language text collate "C",
    reason text not null,
    recorded_at timestamptz not null,
    constraint text_invalidations_pkey primary key (network_id, invalidation_id),
    constraint text_invalidations_text_fkey foreign key (network_id, text_id) references texts,
    constraint text_invalidations_reason_check check (reason in ('form', 'capacity', 'pressure', 'vague_text'))
);
call make_tenant_table('text_invalidations', p_audited => true, p_append_only => true);

-- A translation that is no longer good for new consents; those given in it stand.
create table stale_translations (
    network_id integer not null,
    staling_id uuid not null,
    text_id uuid not null,
    language text collate "C" not null,
    reason text,
    recorded_at timestamptz not null,
    constraint stale_translations_pkey primary key (network_id, text_id, language),
    constraint stale_translations_language_fkey foreign key (network_id, text_id, language) references text_languages,
    constraint stale_translations_reason_check check (reason in ('mistranslated', 'incomplete', 'outdated'))
);
call make_tenant_table('stale_translations', p_audited => true, p_append_only => true);
