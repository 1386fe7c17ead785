create or replace function imago.sample_keys_text(keys text[], amount bigint)
returns text
language sql
immutable
set search_path = ''
as $$
  select case when keys[1] is null then '' else format(' (%s%s)', array_to_string(keys[1:3], ', '), case when amount > 3 then ', …' end) end
$$;
comment on function imago.sample_keys_text(text[], bigint) is 'For messages, behind a count: up to three of the keys, in parentheses.';
