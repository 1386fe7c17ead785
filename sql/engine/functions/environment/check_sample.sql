create or replace function imago.check_sample(plan imago.plan)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  sample jsonb;
  failed_sqlstate text;
  moved bigint;
begin
  begin
    sample := imago.dry_run(plan.name, 'sample', null, 1000);
  exception
    -- What is missing, the check requirements has named.
    when sqlstate 'IM006' then
      return '{"findings": []}';
    when others or assert_failure then
      failed_sqlstate := sqlstate;
      return jsonb_build_object('findings', jsonb_build_array(jsonb_build_object(
        'object', 'dry run', 'message', format('could not be measured: SQLSTATE %s', failed_sqlstate),
        'hint', coalesce((select e.cause from imago.error e where e.code = failed_sqlstate), 'Call dry_run_migration to see why.'))));
  end;
  moved := (sample ->> 'migrated')::bigint;
  return jsonb_build_object(
    'findings', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'object', coalesce(f ->> 'table', plan.source),
        'message', concat_ws(' ', 'a row of the sample would be set aside: SQLSTATE', imago.sqlstate_text(f ->> 'sqlstate', f ->> 'raised_by'), f ->> 'constraint'),
        'hint', format('Look at the row with key %s.', f ->> 'entity'))), '[]')
      from jsonb_array_elements(sample -> 'failures') f
      -- Those that others hold, or who need what an earlier stage moves, say nothing against the plan.
      where f ->> 'kind' <> 'deferred' and f -> 'unsure' is null)
      || case when sample #>> '{error,code}' is null then '[]' else jsonb_build_array(jsonb_build_object(
        'object', 'dry run', 'message', sample #>> '{error,message}', 'hint', sample #>> '{error,hint}')) end,
    'facts', jsonb_build_object(
      'sampled', moved, 'entities', sample #> '{estimate,total}', 'seconds', sample #> '{estimate,seconds}',
      'unknown_stages', sample #> '{estimate,unknown_stages}',
      'rows', (select sum(r.value::numeric) from jsonb_each_text(sample #> '{estimate,rows}') r),
      'wal_bytes', case when sample #> '{estimate,unknown_stages}' = '[]' and moved > 0 then sample #> '{forecast,wal_bytes}' end,
      'locks_held_ms', sample -> 'locks_held_ms'));
end
$$;
comment on function imago.check_sample(imago.plan) is 'Check: moves a sample for at most a second and takes it back. Facts estimate entities, rows, WAL and seconds of the whole, for one worker; unknown_stages: too little was tried of these.';
