create or replace function imago.rate_text(plan text)
returns text
language sql
stable
set search_path = ''
as $$
  select format(s.words, t.max_per_second)
  from imago.throttle t join imago.signal s on s.name = 'rate' where t.plan = rate_text.plan
$$;
comment on function imago.rate_text(text) is 'Why a run waits that has moved as many as it may in a second, in words.';
