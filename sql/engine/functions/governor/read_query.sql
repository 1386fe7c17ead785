create or replace function imago.read_query(throttle imago.throttle)
returns imago.measurement[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  began constant timestamptz := clock_timestamp();
  is_held constant boolean := imago.ask_throttle_query(throttle.throttle_query);
begin
  return array[
    row('query', '', is_held::integer, null)::imago.measurement,
    row('query_time', '', 1000 * extract(epoch from clock_timestamp() - began), null)::imago.measurement];
end
$$;
comment on function imago.read_query(imago.throttle) is 'Signals query and query_time: whether the throttle_query asks to wait, and what asking it has taken.';
