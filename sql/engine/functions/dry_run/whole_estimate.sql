create or replace function imago.whole_estimate(stages jsonb)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select jsonb_build_object(
    'total', sum(greatest(s.pending, s.tried)), 'is_estimate', bool_or(s.pending_is_estimate),
    'seconds', case when bool_and(s.seconds is not null) then sum(s.seconds) end,
    'unknown_stages', coalesce(jsonb_agg(s.stage order by s.stage) filter (where s.seconds is null), '[]'),
    'rows', (
      select coalesce(jsonb_object_agg(r.name, r.rows), '{}')
      from (
        select e.key as name, sum(e.value::numeric) as rows
        from jsonb_array_elements(stages) t cross join lateral jsonb_each_text(t -> 'rows') e
        group by e.key
      ) r))
  from jsonb_to_recordset(stages) s(stage integer, pending bigint, pending_is_estimate boolean, tried bigint, seconds numeric)
$$;
comment on function imago.whole_estimate(jsonb) is 'The estimate of a whole run, from what a dry run says of each stage. Without seconds where a stage was not tried: unknown_stages names it.';
