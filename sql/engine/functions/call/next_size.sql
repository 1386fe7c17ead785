create or replace function imago.next_size(size integer, took interval, fixed_size integer)
returns integer
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
declare
  -- A quarter of a short statement timeout at most: call_deadline begins no sub-batch that could not end in time.
  target_ms constant numeric := least(
    imago.setting_number('sub_batch_ms'),
    250 * nullif(extract(epoch from current_setting('statement_timeout')::interval), 0));
begin
  return case
    when size >= fixed_size then fixed_size
    else greatest(1, least(
      coalesce(fixed_size, 10000),
      size * least(4.0, greatest(0.25, target_ms / greatest(1.0, extract(epoch from took) * 1000)))))::integer
  end;
end
$$;
comment on function imago.next_size(integer, interval, integer) is 'Size of the next sub-batch: towards sub_batch_ms, at most four times as large, at once as small as needed. A size that the caller has fixed is only reached again in the same way after a timeout.';
