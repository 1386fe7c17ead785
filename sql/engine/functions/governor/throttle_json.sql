create or replace function imago.throttle_json(plan text)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'hours', case when t.hours_from is not null then imago.hours_text(t) end, 'max_per_second', t.max_per_second,
    'throttle_query', t.throttle_query is not null, 'ignore', to_jsonb(t.ignored), 'set_by', t.set_by, 'set_at', t.set_at)
  from imago.throttle t
  where t.plan = throttle_json.plan
    and (t.hours_from is not null or t.max_per_second is not null or t.throttle_query is not null or t.ignored <> '{}')
$$;
comment on function imago.throttle_json(text) is 'The limits that operators have set for the runs of a plan; null where there are none. Of the query only whether there is one.';
