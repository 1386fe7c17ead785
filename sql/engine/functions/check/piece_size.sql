create or replace function imago.piece_size(item imago.validation_check, time_left interval)
returns integer
language sql
stable
set search_path = ''
as $$
  -- size fits sub_batch_ms; less time asks for less. A call that has no time left at all still goes a step forward.
  select greatest(1, least(item.size, greatest(
    least(item.size, 10),
    item.size * extract(epoch from time_left) * 1000 / imago.setting_number('sub_batch_ms'))))::integer
$$;
comment on function imago.piece_size(imago.validation_check, interval) is 'Rows of a check''s next piece: what fits sub_batch_ms, less at the end of a call.';
