create or replace function imago.next_size(size integer, took interval, fixed_size integer)
returns integer
language sql
stable
set search_path = ''
as $$
  select coalesce(fixed_size, greatest(1, least(
    10000,
    size * least(4.0, greatest(0.25, imago.setting_number('sub_batch_ms') / greatest(1.0, extract(epoch from took) * 1000))))::integer))
$$;
comment on function imago.next_size(integer, interval, integer) is 'Size of the next sub-batch: towards sub_batch_ms, at most four times as large, at once as small as needed.';
