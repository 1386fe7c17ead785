create or replace function imago.dry_run(plan_name text, mode text, batch_size integer, max_ms integer default null, max_failures text default null, enough bigint default null, cohort jsonb default null)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  limits jsonb;
  problems jsonb;
  notices jsonb;
  result jsonb;
  stages jsonb;
begin
  perform imago.expect_size(batch_size, coalesce(max_ms, 1));
  if coalesce(mode, '') not in ('sample', 'full', 'preflight') then
    perform imago.raise_error('IM015', 'mode', coalesce(mode, 'null'), 'sample, full or preflight');
  end if;
  if cohort is not null then
    perform imago.next_cohort(plan, cohort);
  end if;
  limits := imago.dry_run_limits(plan, max_ms);
  select coalesce(jsonb_agg(to_jsonb(p)) filter (where p.severity <> 'notice'), '[]'),
    coalesce(jsonb_agg(to_jsonb(p)) filter (where p.severity = 'notice'), '[]')
  into problems, notices from imago.preflight(plan) p;
  if mode = 'preflight' then
    return imago.plan_words(plan) || jsonb_build_object('plan', plan_name, 'mode', mode, 'dry_run', true, 'status', 'done', 'has_more', false,
      'problems', problems, 'notices', notices, 'limits', limits,
      -- What is refused locks nothing; and tables of a schema that may not be used cannot even be named.
      'locks', case when problems @> '[{"severity": "error"}]' then '[]' else imago.locks_ahead(plan) end);
  end if;
  perform imago.expect_session();
  perform imago.expect_writable();
  perform imago.expect_no_problems(plan_name, problems);
  perform imago.expect_not_held(plan);

  begin
    result := imago.rehearse(plan_name, mode, batch_size, limits, max_failures, enough, cohort);
    raise exception using errcode = 'IMDRY', message = 'taken back';
  exception
    when sqlstate 'IMDRY' then null;
    when query_canceled then
      if not imago.timed_out() then
        raise;
      end if;
      perform imago.raise_error('IM018');
  end;
  result := result || jsonb_build_object(
    'locks_held_ms', round(extract(epoch from clock_timestamp() - (result ->> 'locked_at')::timestamptz)::numeric * 1000),
    -- Of those that it has made itself none is left.
    'locks', coalesce((
      select jsonb_agg(l) from jsonb_array_elements(result -> 'locks') l where pg_catalog.to_regclass(l ->> 'object') is not null), '[]'));
  if result -> 'undeclared' <> '[]' then
    perform imago.raise_error('IM014', plan_name, (select string_agg(u, ', ') from jsonb_array_elements_text(result -> 'undeclared') u));
  end if;
  -- Nothing is locked any more, so it may take its time.
  stages := imago.stage_reports(plan, result -> 'stages', coalesce(nullif(result -> 'pending', 'null'), imago.foreseen_pending(plan, cohort)));
  return result - '{found,pending,locked_at}'::text[] || imago.plan_words(plan) || jsonb_build_object(
    'problems', problems || (result -> 'found'), 'notices', notices, 'limits', limits, 'stages', stages, 'triggers', imago.trigger_reports(result -> 'stages', stages), 'estimate', imago.whole_estimate(stages),
    'forecast', imago.forecast(plan, stages));
end
$$;
comment on function imago.dry_run(text, text, integer, integer, text, bigint, jsonb) is 'Rehearses a plan in a subtransaction and takes it back; leaves no rows (sequence gaps and dead tuples it does leave).';
