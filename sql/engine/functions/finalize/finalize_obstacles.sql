create or replace function imago.finalize_obstacles(plan imago.plan, pending text[])
returns table (kind text, reason text, remedy text)
language plpgsql
stable
set search_path = ''
as $$
declare
  run imago.run := imago.last_run(plan.name);
begin
  if plan.prepared_at is null then
    return query select 'not_migrated',
      case when run.direction = 'rollback' then 'it was rolled back' else 'nothing has been migrated' end,
      'Call migrate_batch until has_more is false.';
    return;
  end if;
  if run.state in ('pending', 'running', 'paused') then
    return query select case run.direction when 'forward' then 'unfinished_run' else 'unfinished_rollback' end,
      format('run %s (%s) is %s', run.id, run.direction, run.state),
      case run.direction
        when 'forward' then 'Let the run end (migrate_batch until has_more is false), or cancel it with cancel_migration.'
        else 'Let the rollback end (rollback_batch until has_more is false), or cancel it with cancel_migration.' end;
  end if;
  return query
    select k.code, format('%s %s', imago.counted(finalize_obstacles.plan, count(distinct f.entity)), k.word) || imago.sample_keys_text(array_agg(distinct coalesce(f.entity, 'null')), count(distinct f.entity)), k.remedy
    from imago.failure f
    join (values
      ('failed', 'set_aside', 'set aside', 'Fix the cause and call retry_failed_migrations, then migrate_batch.'),
      ('too_large', 'set_aside', 'set aside', 'Fix the cause and call retry_failed_migrations, then migrate_batch.'),
      ('deferred', 'set_aside', 'set aside', 'Fix the cause and call retry_failed_migrations, then migrate_batch.'),
      ('unreachable', 'unreachable', 'pending, but not in the table that the plan walks',
       'Give these rows an entity that is there, or have the plan''s view pending leave them out; then call retry_failed_migrations, then migrate_batch.'),
      ('held', 'held', 'held', 'Move what was rolled back alone again with migrate_entity, or roll everything back.'),
      ('conflict', 'in_conflict', 'in conflict', 'Finish the rollback, or migrate again: migrate_batch until has_more is false.')
    ) k(kind, code, word, remedy) on k.kind = f.kind
    where f.plan = plan.name
    group by k.code, k.word, k.remedy
    order by k.code desc;
  if pending <> '{}' then
    return query select 'pending', imago.counted(finalize_obstacles.plan, cardinality(pending)) || case when cardinality(pending) = 1000 then ' or more' else '' end || ' pending'
        || imago.sample_keys_text(pending, cardinality(pending)),
      imago.rest_remedy(plan.name);
  end if;
end
$$;
comment on function imago.finalize_obstacles(imago.plan, text[]) is 'What speaks against finalize besides the checks, each with a code, up to three keys and what to do. An unfinished run, entities set aside, held or in conflict, and those found pending.';
