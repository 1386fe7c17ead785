create or replace function imago.trigger_reports(tried jsonb, stages jsonb)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  with counted as (
    select f.*, case
      when s.per_second is not null then f.fired * greatest(s.pending, s.tried) / s.moved
      when s.seconds = 0 then f.fired end as estimate
    from jsonb_to_recordset(tried) t(stage integer, triggers jsonb)
    join jsonb_to_recordset(stages) s(stage integer, pending bigint, tried bigint, moved bigint, per_second numeric, seconds numeric) on s.stage = t.stage
    cross join lateral jsonb_to_recordset(t.triggers) f(object text, trigger text, routine text, event text, level text, fired numeric, is_most boolean, calls jsonb, asks_in_batch boolean)
  )
  select coalesce(jsonb_agg(to_jsonb(r) order by r.object, r.trigger, r.event), '[]')
  from (
    -- A stage of which too little was tried may fire any of them.
    select c.object, c.trigger, c.routine, c.event, c.level, sum(c.fired) as fired, bool_or(c.is_most) as is_most,
      case when bool_and(c.estimate is not null) and not exists (select from jsonb_to_recordset(stages) s(seconds numeric) where s.seconds is null)
        then round(sum(c.estimate)) end as estimate,
      c.calls, c.asks_in_batch
    from counted c
    group by c.object, c.trigger, c.routine, c.event, c.level, c.calls, c.asks_in_batch
  ) r
$$;
comment on function imago.trigger_reports(jsonb, jsonb) is 'How often each trigger of the app has fired in a dry run, and would in the whole run. Without an estimate where a stage was not tried.';
