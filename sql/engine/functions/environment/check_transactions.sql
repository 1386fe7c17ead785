create or replace function imago.check_transactions(plan imago.plan)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  with open as (
    select format('session %s', a.pid) as object, coalesce(a.state, 'active') as state, a.xact_start as since,
      case when r.rolsuper then 'It is a superuser''s, and only one of them may end it. Let it end; on Supabase a restart of the database ends it (dashboard, Project Settings, General).'
        when not pg_catalog.pg_has_role(current_user, 'pg_signal_backend', 'usage') and not pg_catalog.pg_has_role(r.oid, 'usage')
          then format('Let it end, or have a member of %I or of pg_signal_backend end it: select pg_terminate_backend(%s);', r.rolname, a.pid)
        else format('select pg_terminate_backend(%s);', a.pid) end as hint
    from pg_catalog.pg_stat_activity a left join pg_catalog.pg_roles r on r.oid = a.usesysid
    where a.datname = pg_catalog.current_database() and a.pid <> pg_catalog.pg_backend_pid() and a.backend_type = 'client backend'
    union all
    select format('prepared transaction %s', x.transaction), 'prepared', x.prepared, 'Commit it or roll it back: see pg_prepared_xacts.'
    from pg_catalog.pg_prepared_xacts x where x.database = pg_catalog.current_database()
  )
  select jsonb_build_object(
    'findings', coalesce(jsonb_agg(jsonb_build_object(
      'object', o.object, 'message', format('%s, its transaction open for %s min', o.state, floor(extract(epoch from clock_timestamp() - o.since) / 60)),
      'hint', o.hint) order by o.since) filter (where o.since < clock_timestamp() - imago.setting_number('long_transaction_ms') * interval '1 ms'), '[]'),
    'facts', jsonb_build_object('longest_seconds', coalesce(floor(max(extract(epoch from clock_timestamp() - o.since))), 0)))
  from open o
$$;
comment on function imago.check_transactions(imago.plan) is 'Check: transactions in this database that have been open for longer than long_transaction_ms.';
