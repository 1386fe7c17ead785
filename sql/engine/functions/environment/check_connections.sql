create or replace function imago.check_connections(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'findings', case when n.usable - n.used >= n.fewest then '[]' else jsonb_build_array(jsonb_build_object(
      'object', 'connections', 'message', format('%s of %s are in use', n.used, n.usable),
      'hint', 'Close idle ones, use the connection pooler, or run with --workers 1.')) end,
    'facts', jsonb_build_object('used', n.used, 'free', greatest(0, n.usable - n.used), 'max_connections', current_setting('max_connections')::integer))
  from (
    select (select sum(d.numbackends) from pg_catalog.pg_stat_database d)::integer as used,
      current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer as usable,
      (select s.slow from imago.signal s where s.name = 'connections') as fewest
  ) n
$$;
comment on function imago.check_connections(imago.plan) is 'Check: fewer connections than the signal connections allows are free for anyone but superusers.';
