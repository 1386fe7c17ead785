create or replace function imago.goes_on_at_once(answer jsonb)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select coalesce((answer ->> 'has_more')::boolean, false) and coalesce(
    coalesce(answer ->> 'status', answer ->> 'state') in ('working', 'deferred', 'preparing', 'checking', 'finalizing')
      -- A rate that is used up is there again in a moment.
      or answer ->> 'status' = 'waiting' and (answer #>> '{health,share}')::numeric > 0, false)
$$;
comment on function imago.goes_on_at_once(jsonb) is 'Whether there is more to do and nothing is held or wrong: the driver calls again as soon as the answer says.';
