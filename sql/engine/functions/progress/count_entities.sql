create or replace function imago.count_entities(
  plan imago.plan,
  exactly boolean,
  out total bigint,
  out migrated bigint,
  out pending bigint,
  out is_estimate boolean,
  out error jsonb
)
language plpgsql
stable
set search_path = ''
as $$
declare
  source record;
  run imago.run := imago.last_run(plan.name);
  hint text;
begin
  begin
    select * into source from imago.count_source(plan, exactly);
    total := source.total;
    is_estimate := source.is_estimate;
    if plan.closed_at is null and not is_estimate and pg_catalog.to_regclass(imago.plan_object(plan, 'pending')) is not null then
      pending := imago.count_pending(plan);
    end if;
  exception when sqlstate 'IM071' then
    if exactly then
      raise;
    end if;
    -- Who looks how far a run is has to see it all the same, and what is in the way.
    get stacked diagnostics hint = pg_exception_hint;
    error := jsonb_build_object('code', sqlstate, 'message', sqlerrm, 'hint', hint);
    total := coalesce(total, imago.source_rows(plan));
    is_estimate := true;
  end;
  if plan.closed_at is not null then
    pending := 0;
  elsif pg_catalog.to_regclass(imago.plan_object(plan, 'pending')) is null then
    -- Whom the plan concerns is known when prepare has made its views.
    pending := total;
    is_estimate := true;
  elsif is_estimate then
    -- A run that fixes findings walks no lanes.
    run := imago.last_moving_run(plan.name);
    -- Statistics are renewed while it runs; what it was begun with makes no step back.
    total := case when run.state in ('running', 'paused') then coalesce(run.total, total) else total end;
    pending := imago.estimate_pending(run, plan, total);
  end if;
  -- Nothing is moved before the first run and after everything went back: what is not pending then does not concern the plan.
  if plan.closed_at is null and (run.id is null or run.direction = 'rollback' and run.state = 'succeeded') then
    total := case when is_estimate then total else pending end;
    pending := total;
  end if;
  total := greatest(total, pending);
  migrated := total - pending;
end
$$;
comment on function imago.count_entities(imago.plan, boolean) is 'Entities that a plan concerns, of all its stages: how many, migrated and pending. Estimated above about 100,000 rows unless they are wanted exactly, and where they cannot be counted (error); before the plan is prepared, all rows of its tables.';
