create or replace function imago.handle_failed_batch(
  run imago.run,
  plan imago.plan,
  segment text[],
  attempt imago.attempt,
  had_whole_call boolean,
  may_defer boolean,
  out outcome text,
  out aside text[]
)
language plpgsql
volatile
set search_path = ''
as $$
begin
  aside := '{}';
  if attempt.outcome = 'stop' then
    outcome := 'stop';
    return;
  end if;
  if attempt.outcome = 'timeout' then
    -- Only an entity that had the whole call for itself is too large; any other timeout asks for a smaller batch.
    if had_whole_call and cardinality(segment) = 1 then
      aside := segment;
      perform imago.set_aside(run, segment[1], 'too_large', attempt.sqlstate, reason => 'its rows do not fit one call',
        stage => plan.stage, raised_by => attempt.raised_by);
    end if;
    outcome := case when imago.over_budget(run) then 'budget' else 'timeout' end;
    return;
  end if;
  if attempt.outcome = 'blocked' and may_defer then
    outcome := 'deferred';
    return;
  end if;

  begin
    aside := imago.bad_keys(plan, segment, attempt);
  exception when lock_not_available or deadlock_detected then
    -- The whole table is locked: no entity is to blame.
    outcome := 'deferred';
    return;
  end;
  -- Where the view writes a key in another way (case, blanks), none of the segment is named: it is looked for by halves.
  if not aside && segment then
    aside := case cardinality(segment) when 1 then segment || aside else '{}' end;
  end if;
  if aside = '{}' then
    perform imago.write_log(run.plan, run.id, 'debug', 'halved', jsonb_build_object('size', cardinality(segment)), null, attempt.sqlstate);
    outcome := 'halve';
    return;
  end if;
  perform imago.set_aside(run, k, case attempt.outcome when 'blocked' then 'deferred' else 'failed' end,
                          attempt.sqlstate, attempt.constraint_name, attempt.table_name, attempt.column_name, stage => plan.stage, raised_by => attempt.raised_by)
  from unnest(aside) k;
  outcome := case when imago.over_budget(run) then 'budget' else 'again' end;
end
$$;
comment on function imago.handle_failed_batch(imago.run, imago.plan, text[], imago.attempt, boolean, boolean, out text, out text[]) is 'What follows from a sub-batch that failed, sorted by its SQLSTATE. stop, timeout, deferred and budget end the call, halve cuts it in two, again tries it without the entities that were set aside (aside).';
