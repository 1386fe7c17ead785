create or replace function imago.sample_keys_text(keys text[], amount bigint)
returns text
language sql
immutable
set search_path = ''
as $$
  select case when keys[1] is null then '' else format(' (%s%s)', array_to_string(keys[1:3], ', '), case when amount > 3 then ', …' end) end
$$;
comment on function imago.sample_keys_text(text[], bigint) is 'For plans: up to three keys in parentheses, for messages, behind a count.

Example: select ''12 bookings point at no row'' || imago.sample_keys_text(''{3,8,9,14}'', 12)';
