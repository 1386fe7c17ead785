create or replace function imago.counted(plan imago.plan, amount bigint)
returns text
language sql
stable
set search_path = ''
as $$
  select format('%s %s', amount, w ->> case amount when 1 then 'entity_singular' else 'entity_plural' end) from imago.plan_words(plan) w
$$;
comment on function imago.counted(imago.plan, bigint) is 'So many entities of a plan, in its words: 1 user, 2 users.';
