create or replace function imago.throttle_fields(throttle imago.throttle)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'hours', case when throttle.hours_from is not null then imago.hours_text(throttle) end, 'max_per_second', throttle.max_per_second,
    'throttle_query', throttle.throttle_query is not null, 'ignore', to_jsonb(throttle.ignored),
    'set_by', throttle.set_by, 'set_at', throttle.set_at)
$$;
comment on function imago.throttle_fields(imago.throttle) is 'Limits as answers have them. Of the query only whether there is one.';
