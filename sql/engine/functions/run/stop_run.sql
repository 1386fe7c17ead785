create or replace function imago.stop_run(run imago.run, code text, detail text[] default null)
returns text
language plpgsql
volatile
set search_path = ''
as $$
begin
  if code = 'IM020' then
    detail := array[imago.count_failed(run.id)::text, imago.allowed_failures(run)::text, coalesce((
      select format(' Most frequent, %s times: SQLSTATE %s.', count(*), imago.sqlstate_text(f.sqlstate, f.raised_by))
      from imago.failure f
      where f.run = stop_run.run.id and f.kind in ('failed', 'too_large') and f.sqlstate is not null
      group by f.sqlstate, f.raised_by
      order by count(*) desc, f.sqlstate, f.raised_by
      limit 1), '')];
  end if;
  -- The functions of a plan do not follow: they name things as its author wrote them.
  if code = 'IM021' and detail[1] in ('42703', '42P01', '3F000') and imago.renames(run.plan) is not null then
    code := 'IM070';
    detail := array[run.plan, imago.renames(run.plan)] || detail;
  end if;
  begin
    perform imago.transition_run(run.id, 'fail',
      case code when 'IM020' then format('%s of %s allowed failures', variadic detail) else array_to_string(detail, ', ') end, code, detail);
    if run.on_failure = 'rollback' and run.direction = 'forward' then
      perform imago.start_rollback(run.plan, false, run.id);
    end if;
  exception when sqlstate 'IM016' or sqlstate 'IM008' then
    -- Another worker holds or has already stopped the run; it has seen the same.
    return 'busy';
  end;
  return 'failed';
end
$$;
comment on function imago.stop_run(imago.run, text, text[]) is 'Stops a run as failed, with an error and its values, and opens its rollback where the run asks for it.';
