create or replace function imago.add_answers(so_far jsonb, more jsonb)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select so_far || more || jsonb_build_object('rows', imago.add_counts(so_far -> 'rows', more -> 'rows')) || (
    select jsonb_object_agg(n, coalesce((so_far ->> n)::numeric, 0) + coalesce((more ->> n)::numeric, 0))
    from unnest(array['processed', 'migrated', 'skipped', 'failed', 'sub_batches', 'duration_ms']) n)
$$;
comment on function imago.add_answers(jsonb, jsonb) is 'Adds the counts of two answers of imago.work_run; the rest is the newer one''s.';
