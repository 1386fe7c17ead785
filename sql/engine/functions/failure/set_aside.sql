create or replace function imago.set_aside(
  run imago.run,
  entity text,
  kind text,
  sqlstate text default null,
  constraint_name text default null,
  table_name text default null,
  column_name text default null,
  reason text default null,
  stage integer default 1,
  raised_by text default null
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
-- The columns that on conflict infers its index by cannot be qualified.
#variable_conflict use_column
begin
  insert into imago.failure as f (plan, run, stage, entity, kind, direction, sqlstate, constraint_name, table_name, column_name, reason, raised_by)
  values (run.plan, run.id, set_aside.stage, entity, kind, run.direction, sqlstate,
          nullif(constraint_name, ''), nullif(table_name, ''), nullif(column_name, ''), reason, set_aside.raised_by)
  on conflict (plan, stage, entity, direction) where kind in ('failed', 'deferred', 'too_large', 'unreachable', 'held')
  do update set
    run = excluded.run, kind = excluded.kind, sqlstate = excluded.sqlstate, constraint_name = excluded.constraint_name,
    table_name = excluded.table_name, column_name = excluded.column_name, reason = excluded.reason, raised_by = excluded.raised_by, created_at = clock_timestamp();
  perform imago.write_log(
    run.plan, run.id, case kind when 'held' then 'info' when 'deferred' then 'warning' else 'error' end, kind,
    jsonb_strip_nulls(jsonb_build_object('constraint', nullif(constraint_name, ''), 'table', nullif(table_name, ''),
                                         'column', nullif(column_name, ''), 'reason', reason, 'raised_by', set_aside.raised_by)) || imago.stage_label(set_aside.stage),
    entity, sqlstate);
  if kind in ('failed', 'too_large', 'unreachable') then
    perform imago.notify(run, 'failure', jsonb_build_object(
      'kind', kind, 'sqlstate', sqlstate, 'table', nullif(table_name, ''), 'constraint', nullif(constraint_name, '')), coalesce(run.created_at, '-infinity'));
  end if;
end
$$;
comment on function imago.set_aside(imago.run, text, text, text, text, text, text, text, integer, text) is 'Records an entity that could not be moved, or must not be, and logs it.';
