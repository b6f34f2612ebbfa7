-- Written by `make schema` from src/consent_registry/domain/events; a test compares. SQL names a kind of event and
-- never writes its number. Both functions are immutable, and the planner puts their values in the place of a call with
-- a name: so an index whose predicate names a kind serves a statement that names it too. A name that is none is an
-- error.

-- The number by which `events.kind` says a kind.
create or replace function registry.kind(p_name text) returns smallint
    language plpgsql immutable strict parallel safe as $$
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

-- The numbers of a class. `use` goes by age; `state` with its consent or its client, a catalogue's never; `permanent`,
-- and a kind that this release does not know, never.
create or replace function registry.kinds_of(p_class text) returns smallint[]
    language plpgsql immutable strict parallel safe as $$
begin
    case p_class
        when 'use' then return array[1, 5, 6];
        when 'state' then return array[2, 3, 4, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 29, 30, 35, 37, 38, 40, 45];
        when 'permanent' then return array[26, 27, 28];
    end case;
end
$$;
