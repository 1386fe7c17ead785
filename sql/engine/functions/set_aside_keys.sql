create or replace function imago.set_aside_keys(plan text, direction text, deferred_too boolean default true)
returns setof text
language sql
stable
set search_path = ''
as $$
  select f.entity from imago.failure f
  where f.plan = set_aside_keys.plan
    and f.direction = set_aside_keys.direction
    and (deferred_too or f.kind <> 'deferred')
$$;
comment on function imago.set_aside_keys(text, text, boolean) is 'Entities that batches of this direction leave alone.';
