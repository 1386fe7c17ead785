create or replace function imago.undone(plan imago.plan)
returns table (reason text, remedy text)
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run := imago.last_effective_run(plan.name);
  staged imago.plan;
  pending text[] := '{}';
  answer jsonb;
begin
  return query select o.reason, o.remedy from imago.finalize_obstacles(plan, '{}') o;
  if found then
    return;
  end if;
  if run.id is null or run.direction = 'rollback' or run.state <> 'succeeded' then
    return query select
      case when run.id is null then 'nothing has been migrated'
        when run.direction = 'rollback' then 'it was rolled back'
        else format('its last run is %s', run.state) end,
      'Call migrate_batch until has_more is false.';
    return;
  end if;
  for staged in select s.* from imago.plan_stages(plan) s loop
    pending := array(select jsonb_array_elements_text(imago.ask_pending(staged, format(
      'select coalesce(jsonb_agg(coalesce(p.entity, ''null'')), ''[]'') from (select entity::text from %s limit 4) p',
      imago.plan_object(staged, 'pending')))));
    if pending <> '{}' then
      return query select format('%s of %s pending%s',
          case cardinality(pending) when 4 then 'some' else cardinality(pending)::text end, staged.source, imago.sample_keys_text(pending, cardinality(pending))),
        imago.rest_remedy(plan.name);
      return;
    end if;
  end loop;
  if run.findings = '[]' then
    return;
  end if;
  -- It may have been put right since. How far checks are is written down.
  perform imago.expect_writable(moving => false);
  answer := imago.run_error_checks(plan, run.id, clock_timestamp() + interval '1 hour', clock_timestamp());
  if answer -> 'failing' <> '[]' then
    return query select 'its checks find something: ' || string_agg(f ->> 'name', ', '), 'Call validate_migration and put right what it finds.'
    from jsonb_array_elements(answer -> 'failing') f;
  elsif (answer ->> 'has_more')::boolean then
    return query select 'its checks are not through'::text, 'Call migrate_batch until has_more is false.'::text;
  end if;
end
$$;
comment on function imago.undone(imago.plan) is 'What keeps a plan from being done, each with its remedy. Looks for what is pending now, however the last run ended.';
