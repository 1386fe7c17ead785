create or replace function imago.next_walk_size(size integer, took_ms numeric, aim_ms integer default null)
returns integer
language sql
stable
set search_path = ''
as $$
  select greatest(least(size, 10), least(200000,
    size * least(8.0, greatest(0.0625, coalesce(aim_ms, imago.setting_number('sub_batch_ms')) / greatest(1.0, took_ms)))))::integer
$$;
comment on function imago.next_walk_size(integer, numeric, integer) is 'Rows of the next piece: towards aim_ms or, without, sub_batch_ms, at most eight times as many. Not below 10 unless a statement timeout has cut it so small: what a piece costs at any size would only come up more often.';
