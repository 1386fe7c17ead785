create or replace function imago.fitting_size(lane imago.lane, deadline timestamptz, is_quiet boolean)
returns integer
language plpgsql
volatile
set search_path = ''
as $$
declare
  left_ms numeric := 1000 * extract(epoch from deadline - clock_timestamp());
begin
  if lane.entity_ms is null or lane.entity_ms <= 0 then
    return lane.batch_size;
  end if;
  if is_quiet is not true then
    left_ms := least(left_ms, imago.setting_number('hold_ms'));
  end if;
  return greatest(1, least(lane.batch_size, greatest(12, left_ms - imago.sub_batch_cost_ms()) / lane.entity_ms))::integer;
end
$$;
comment on function imago.fitting_size(imago.lane, timestamptz, boolean) is 'Size of the next sub-batch of a lane: its own, or what fits the rest of the call. Unless the tables are quiet, hold_ms.';
