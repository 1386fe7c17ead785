create or replace function imago.end_stage(run imago.run, plan imago.plan, checks imago.validation, since timestamptz, deadline timestamptz)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  next imago.plan := imago.next_stage(run, plan);
  removed text;
  findings jsonb;
begin
  if next.name is not null then
    perform imago.cut_lanes(run, next);
    perform imago.write_log(run.plan, run.id, 'info', 'stage', jsonb_build_object('stage', next.stage));
    -- A rehearsal counts by stage.
    return case when current_setting('imago.dry', true) = 'on' then 'yield' else 'working' end;
  end if;
  if run.direction = 'rollback' then
    removed := imago.unprepare_plan(run, plan);
    if removed in ('busy', 'more', 'failed') then
      return case removed when 'busy' then 'deferred' when 'more' then 'incomplete' else 'failed' end;
    end if;
  else
    findings := imago.check_end_of_run(run, plan, checks, since, deadline);
    if findings is null then
      -- Checks that are not through yet have used up this call.
      return case when imago.is_resumable(imago.latest_end_validation(run, since)) then 'timeout' else 'working' end;
    end if;
  end if;
  return imago.end_run(run, plan, findings);
end
$$;
comment on function imago.end_stage(imago.run, imago.plan, imago.validation, timestamptz, timestamptz) is 'Where nothing is left: begins the next stage or, after the last, goes through the checks and ends the run. Checks since the given time count. The outcome, as of finish_run.';
