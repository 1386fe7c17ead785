create or replace function imago.percentage(moved bigint, pending bigint)
returns numeric
language sql
immutable
set search_path = ''
as $$
  -- Rounded down: 100 is said only when nothing is pending.
  select case when moved + pending = 0 then 100 else trunc(100.0 * moved / (moved + pending), 2) end
$$;
comment on function imago.percentage(bigint, bigint) is 'Share of moved in moved and pending; never above 100, and 100 only when nothing is pending.';
