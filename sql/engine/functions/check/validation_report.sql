create or replace function imago.validation_report(validation imago.validation, items imago.validation_check[], status text, detailed boolean, started timestamptz)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  with v as (
    select (validation).*
  ), checks as (
    select i.*, c.name, c.severity, c.phase, c.meaning, c.remedy, c.routine,
      c.fix is not null and v.phase = 'after' as fixable,
      case when v.state <> 'done' and not i.done and i.remaining is not null then greatest(i.found - i.fixed, 0)
        when v.dry_run then i.found else coalesce(i.remaining, i.found) end as still
    from v
    cross join unnest(items) i
    join imago.plan_check c on c.id = i.plan_check
  ), sums as (
    select
      coalesce(sum(still) filter (where severity = 'error'), 0) as errors,
      coalesce(sum(still) filter (where severity = 'warning'), 0) as warnings,
      coalesce(sum(still) filter (where severity = 'manual'), 0) as manual,
      coalesce(sum(fixed), 0) as fixed, coalesce(sum(fixes_failed), 0) as fixes_failed,
      coalesce(sum(checked), 0) as checked, coalesce(sum(greatest(total, checked)), 0) as total,
      count(*) filter (where error is not null) as unchecked, max(deferrals) as deferrals,
      jsonb_agg(jsonb_build_object(
        'name', name, 'severity', severity, 'phase', phase, 'meaning', meaning, 'remedy', remedy, 'applicable', applicable,
        'found', found, 'left', still, 'partial', not done and remaining is null, 'fixable', fixable,
        'fixed', case when (select v.dry_run from v) then 0 else fixed end,
        'would_fix', case when (select v.dry_run and v.fixes from v) and fixable then fixed end,
        'written', written, 'fixes_failed', fixes_failed, 'error', error, 'facts', facts,
        'slow_piece_ms', case when piece_ms > imago.setting_number('sub_batch_ms') then round(piece_ms) end)
        || case when routine is not null then jsonb_build_object('findings', jsonb_path_query_array(findings, '$[0 to 19]')) else '{}' end
        || case when detailed then jsonb_build_object('keys', case when routine is null then to_jsonb(keys)
             else jsonb_path_query_array(findings, '$[0 to 9].object') end) else '{}' end
        order by position) as list
    from checks
  )
  select jsonb_build_object(
    'plan', v.plan, 'phase', v.phase, 'validation', v.id, 'status', status, 'has_more', status <> 'done', 'partial', status <> 'done',
    'percentage', case when status = 'done' then 100 else least(99.99, trunc(100.0 * s.checked / greatest(1, s.total), 2)) end,
    'checked', s.checked, 'total', case when status = 'done' then s.checked else s.total end,
    'errors', s.errors, 'warnings', s.warnings, 'manual', s.manual,
    'fixed', case when v.dry_run then 0 else s.fixed end, 'fixes_failed', s.fixes_failed,
    'healthy', status = 'done' and s.errors = 0 and s.unchecked = 0,
    'dry_run', v.dry_run, 'retry_after_ms', case when status = 'fixing' and s.deferrals > 0 then 200 else 0 end,
    'duration_ms', round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 1),
    'checks', coalesce(s.list, '[]'))
  from v, sums s
$$;
comment on function imago.validation_report(imago.validation, imago.validation_check[], text, boolean, timestamptz) is 'The JSON that validate_migration returns, of a validation and how far it is with each check.';
