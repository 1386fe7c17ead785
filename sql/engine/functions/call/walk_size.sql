create or replace function imago.walk_size(size integer, time_left interval)
returns integer
language sql
stable
set search_path = ''
as $$
  select greatest(1, least(size, greatest(
    least(size, 10),
    size * extract(epoch from time_left) * 1000 / imago.setting_number('sub_batch_ms'))))::integer
$$;
comment on function imago.walk_size(integer, interval) is 'Rows of the next piece of a walk: size, which fits sub_batch_ms, less at the end of a call. With no time left it still goes a step forward.';
