create or replace function imago.stage_reports(plan imago.plan, tried jsonb, pending jsonb)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_agg(jsonb_build_object(
      'stage', t.stage, 'object', s.source, 'entity_singular', w.singular, 'entity_plural', w.plural,
      'outcome', o.outcome,
      'reason', case
        when o.outcome in ('complete', 'nothing_pending') then null
        when t.unsure > 0 then 'earlier_stage'
        when t.reason = 'complete' then 'locked'
        else t.reason end,
      'pending', p.pending, 'pending_is_estimate', p.is_estimate,
      'tried', t.moved + t.failed, 'moved', t.moved, 'failed', t.failed, 'locked', t.locked, 'unsure', t.unsure,
      'per_second', case when o.is_measured then round(t.moved * 1000 / greatest(1, t.ms)) end,
      'seconds', case
        when o.is_measured then ceil(o.total * t.ms / 1000 / t.moved)
        when o.outcome in ('complete', 'nothing_pending') then 0 end,
      'rows', (
        select coalesce(jsonb_object_agg(r.key, round(r.value::numeric * o.total / t.moved)), '{}')
        from jsonb_each_text(t.rows) r where o.is_measured),
      'cost', case when o.is_measured then t.cost end) order by t.stage)
  from jsonb_to_recordset(tried) t(stage integer, reason text, moved bigint, failed bigint, locked bigint, unsure bigint, ms numeric, rows jsonb, cost jsonb)
  cross join lateral jsonb_to_record(pending -> t.stage::text) p(pending bigint, is_estimate boolean)
  cross join lateral imago.plan_at_stage(plan, t.stage) s
  cross join lateral imago.entity_words(s) w
  cross join lateral (
    -- An earlier stage may add to what is pending in a later one. Those who fail for want of it would say nothing of the time.
    select greatest(p.pending, t.moved + t.failed) as total, t.moved > 0 and t.unsure = 0 as is_measured, case
      when t.moved + t.failed + t.locked + t.unsure = 0 and p.pending = 0 then 'nothing_pending'
      when (t.reason = 'complete' or t.moved + t.failed >= p.pending and not p.is_estimate) and t.locked + t.unsure = 0 then 'complete'
      when t.moved + t.failed > 0 then 'part'
      else 'not_tried' end as outcome
  ) o
$$;
comment on function imago.stage_reports(imago.plan, jsonb, jsonb) is 'What a dry run says of each stage. What is pending, what of it was tried and what became of it, why not all was, how long all would take.';
