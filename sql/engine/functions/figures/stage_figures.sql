create or replace function imago.stage_figures(plan imago.plan, exactly boolean default false)
returns table (stage integer, total bigint, migrated bigint, pending bigint, outside bigint, is_estimate boolean, error jsonb)
language plpgsql
stable
set search_path = ''
as $$
declare
  -- A run that fixes findings moves nobody.
  run constant imago.run := imago.last_moving_run(plan.name);
  -- Before the first run, and after everything went back: what is not pending then does not concern the plan.
  is_unmoved constant boolean := plan.closed_at is null and (run.id is null or run.direction = 'rollback' and run.state = 'succeeded');
  estimated constant boolean := not exactly and imago.is_estimated(plan);
  staged imago.plan;
  is_prepared boolean;
  source_rows bigint;
  hint text;
begin
  for staged in select s.* from imago.plan_stages(plan) s order by s.stage loop
    stage := staged.stage;
    is_prepared := pg_catalog.to_regclass(imago.plan_object(staged, 'pending')) is not null;
    -- Which entities the plan concerns is known when prepare has made its views.
    is_estimate := estimated or plan.closed_at is null and not is_prepared;
    total := null;
    pending := null;
    error := null;
    begin
      select c.total, c.source_rows, c.outside into total, source_rows, outside from imago.count_source(staged, estimated) c;
      if not run.backup and run.direction = 'forward' and (imago.deleting_write(staged)).id is not null then
        -- No journal knows what it has deleted.
        total := total + imago.moved_by_runs(plan.name, 'forward', stage, null, run.id);
      end if;
      if plan.closed_at is not null then
        pending := 0;
      elsif not is_prepared then
        pending := total;
      elsif not estimated then
        select c.pending, c.outside into pending, outside from imago.count_stage(staged) c;
      end if;
    exception when sqlstate 'IM071' then
      if exactly then
        raise;
      end if;
      -- Who looks how far a run is has to see it all the same, and what is in the way.
      get stacked diagnostics hint = pg_exception_hint;
      error := jsonb_build_object('code', sqlstate, 'message', sqlerrm, 'hint', hint);
      is_estimate := true;
      source_rows := imago.estimated_rows(staged.source);
      total := coalesce(total, source_rows);
      outside := coalesce(outside, 0);
      pending := null;
    end;
    if pending is null then
      select e.total, e.total - e.migrated into total, pending from imago.estimate_figures(run, staged, total, source_rows) e;
    end if;
    if is_unmoved then
      total := case when is_estimate then total else pending end;
      pending := total;
    end if;
    total := greatest(total, pending);
    migrated := total - pending;
    return next;
  end loop;
end
$$;
comment on function imago.stage_figures(imago.plan, boolean) is 'Of the entities that runs take: how many each stage of a plan concerns, migrated and pending. outside: those pending besides. The one definition of these figures. Estimated above about 100,000 rows unless they are wanted exactly, and where they cannot be counted (error); before the plan is prepared, all rows of its tables.';
