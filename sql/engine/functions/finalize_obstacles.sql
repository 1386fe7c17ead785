create or replace function imago.finalize_obstacles(plan imago.plan, pending_too boolean)
returns table (reason text, remedy text)
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run := imago.last_run(plan.name);
  todo text[];
  most constant integer := 1000;
begin
  if plan.prepared_at is null then
    return query select
      case when run.direction = 'rollback' then 'it was rolled back' else 'nothing has been migrated' end,
      'Call migrate_batch until has_more is false.';
    return;
  end if;
  if run.state in ('pending', 'running', 'paused') then
    return query select format('run %s (%s) is %s', run.id, run.direction, run.state),
      case run.direction
        when 'forward' then 'Let the run end (migrate_batch until has_more is false), or cancel it with cancel_migration.'
        else 'Let the rollback end (rollback_batch until has_more is false), or cancel it with cancel_migration.' end;
  end if;
  return query
    select format('%s %s (%s%s)', count(distinct f.entity), k.word, (array_to_string((array_agg(distinct f.entity))[1:3], ', ')),
        case when count(distinct f.entity) > 3 then ', …' else '' end), k.remedy
    from imago.failure f
    join (values
      ('failed', 'set aside', 'Mend the cause and call retry_failed_migrations, then migrate_batch.'),
      ('too_large', 'set aside', 'Mend the cause and call retry_failed_migrations, then migrate_batch.'),
      ('deferred', 'set aside', 'Mend the cause and call retry_failed_migrations, then migrate_batch.'),
      ('held', 'held', 'Move who was rolled back alone again with migrate_entity, or roll everybody back.'),
      ('conflict', 'in conflict', 'Finish the rollback, or migrate again: migrate_batch until has_more is false.')
    ) k(kind, word, remedy) on k.kind = f.kind
    where f.plan = plan.name
    group by k.word, k.remedy
    order by k.word desc;
  if not pending_too then
    return;
  end if;
  run.direction := 'forward';
  select array_agg(k) into todo
  from imago.stages(plan) s
  cross join lateral unnest(imago.left_over(run, s, most)) k;
  if todo <> '{}' then
    return query select format('%s%s pending (%s%s)', cardinality(todo), case when cardinality(todo) = most then ' or more' else '' end,
        array_to_string(todo[1:3], ', '), case when cardinality(todo) > 3 then ', …' else '' end),
      'Call migrate_batch until has_more is false.';
  end if;
exception when query_canceled then
  if not imago.timed_out() then
    raise;
  end if;
  perform imago.raise_error('IM041', 'what is pending', plan.name, '57014');
end
$$;
comment on function imago.finalize_obstacles(imago.plan, boolean) is 'What speaks against finalize besides the checks: an unfinished run, entities set aside, held or in conflict, and what is pending; each with up to three keys and what to do.';
