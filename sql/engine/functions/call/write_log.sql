create or replace function imago.write_log(
  plan text,
  run bigint,
  level text,
  event text,
  detail jsonb default '{}',
  entity text default null,
  sqlstate text default null,
  batch bigint default null
)
returns void
language sql
volatile
set search_path = ''
as $$
  insert into imago.log (plan, run, level, event, detail, entity, sqlstate, batch)
  values (plan, run, level, event, coalesce(detail, '{}'), entity, sqlstate, batch)
$$;
comment on function imago.write_log(text, bigint, text, text, jsonb, text, text, bigint) is 'Adds a line to imago.log. Detail holds names, codes and counts, never values of rows.';
