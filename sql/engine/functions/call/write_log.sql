create or replace function imago.write_log(
  plan text,
  run bigint,
  level text,
  event text,
  detail jsonb default '{}',
  entity text default null,
  sqlstate text default null
)
returns void
language sql
volatile
set search_path = ''
as $$
  insert into imago.log (plan, run, level, event, detail, entity, sqlstate)
  values (plan, run, level, event, coalesce(detail, '{}'), entity, sqlstate)
$$;
comment on function imago.write_log(text, bigint, text, text, jsonb, text, text) is 'Adds a line to imago.log. Detail holds names, codes and counts, never values of rows.';
