create or replace function imago.plan_words(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'entity_singular', string_agg(singular, ' or ' order by first_stage),
    'entity_plural', string_agg(plural, ' and ' order by first_stage))
  from (
    select w.singular, w.plural, min(s.stage) as first_stage
    from imago.plan_stages(plan) s cross join lateral imago.entity_words(s) w
    group by w.singular, w.plural
  ) words
$$;
comment on function imago.plan_words(imago.plan) is 'What an answer says of the words for a plan''s entities; of several stages: images and bookings.';
