create or replace function imago.indexing_fields(plan_name text)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('index', d.name, 'statement', d.statement, 'retry_after_ms', 1000, 'reason', format('an index on %s is built beside the app', d.name))
  from imago.direct_index(plan_name, false) d
$$;
comment on function imago.indexing_fields(text) is 'Fields of the answer of a call that waits for pg_cron to build an index.';
