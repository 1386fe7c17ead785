create or replace function imago.read_connections()
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  return query
  select '', (current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
    - coalesce(current_setting('reserved_connections', true)::integer, 0) - count(*))::numeric, null::numeric
  from pg_catalog.pg_stat_activity a
  where a.backend_type = 'client backend';
end
$$;
comment on function imago.read_connections() is 'Signal connections: how many are free for roles without rights of their own.';
