create or replace function imago.set_aside_keys(plan text, direction text, passing_too boolean default true, stage integer default 1)
returns setof text
language sql
stable
set search_path = ''
as $$
  select f.entity from imago.failure f
  where f.plan = set_aside_keys.plan
    and f.direction = set_aside_keys.direction
    and f.stage = set_aside_keys.stage
    and f.entity is not null
    and (passing_too or f.kind not in ('deferred', 'unreachable') and coalesce(f.reason_kind, '') not in ('referenced', 'orphaned', 'deleted'))
$$;
comment on function imago.set_aside_keys(text, text, boolean, integer) is 'Entities of a stage that batches of this direction leave alone. Those whose reason may have passed (a lock, a reference by or to an entity that has gone back since, a row of the source that was missing) only if passing_too.';
