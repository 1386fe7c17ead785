create or replace function imago.run_step(step imago.plan_step)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  said text;
  answer jsonb;
begin
  if step.source is not null then
    return imago.walk_step(step);
  end if;
  perform set_config('search_path', imago.app_search_path(), true);
  execute format('select %I.%I()', step.plan, step.routine) into said;
  -- Now, while the app's code finds its names, and not when the caller commits.
  set constraints all immediate;
  perform pg_catalog.set_config('search_path', '', true);
  -- Views and tables of its own schema are for nobody else, whatever the default privileges say.
  perform imago.close_table(c.oid::pg_catalog.regclass::text)
  from pg_catalog.pg_class c
  where c.relnamespace = pg_catalog.to_regnamespace(quote_ident(step.plan)) and c.relkind in ('r', 'p', 'v', 'm') and c.relacl is not null;
  if step.direct and not coalesce(said::boolean, false) then
    perform imago.raise_error('IM042', step.name, step.plan, step.statement,
      format('schedule_migration(%L%s)', step.plan, case step.phase when 'finalize' then ', finalize => true' else '' end));
  end if;
  answer := '{"has_more": false, "warnings": []}'::jsonb || case when said like '{%' then said::jsonb else '{}' end;
  if not (answer ->> 'has_more')::boolean then
    update imago.plan_step s set done_at = clock_timestamp() where s.plan = step.plan and s.position = step.position;
  end if;
  return answer;
end
$$;
comment on function imago.run_step(imago.plan_step) is 'Calls the routine of a step and notes that it is done, unless it wants to be called again (has_more). A direct step whose statement has yet to be run is refused with it (IM042).';
