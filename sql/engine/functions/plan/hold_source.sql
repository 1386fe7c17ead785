create or replace function imago.hold_source(relation text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform pg_catalog.pg_advisory_xact_lock_shared(imago.source_lock_key(relation));
end
$$;
comment on function imago.hold_source(text) is 'Has a sync hold a walked table whose rows cannot be locked, so that no batch moves any of its entities meanwhile.';
