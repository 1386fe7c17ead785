create or replace function imago.throttle_json(plan text)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select imago.throttle_fields(t)
  from imago.throttle t
  where t.plan = throttle_json.plan
    and (t.hours_from is not null or t.max_per_second is not null or t.throttle_query is not null or t.ignored <> '{}')
$$;
comment on function imago.throttle_json(text) is 'The limits that operators have set for the runs of a plan; null where there are none.';
