create or replace function imago.next_size(size integer, took interval, fixed_size integer)
returns integer
language sql
stable
set search_path = ''
as $$
  -- A quarter of a short statement timeout at most: call_deadline begins no sub-batch that could not end in time.
  with target as (
    select least(
      imago.setting_number('sub_batch_ms'),
      250 * nullif(extract(epoch from current_setting('statement_timeout')::interval), 0)) as ms
  )
  select case
    when size >= fixed_size then fixed_size
    else greatest(1, least(
      coalesce(fixed_size, 10000),
      size * least(4.0, greatest(0.25, t.ms / greatest(1.0, extract(epoch from took) * 1000)))))::integer
  end
  from target t
$$;
comment on function imago.next_size(integer, interval, integer) is 'Size of the next sub-batch: towards sub_batch_ms, at most four times as large, at once as small as needed. A size that the caller has fixed is only reached again in the same way after a timeout.';
