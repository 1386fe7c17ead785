create or replace function imago.read_operator(throttle imago.throttle)
returns imago.measurement[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  result imago.measurement[] := array(
    select row('operator', s.value, 1, null)::imago.measurement from imago.setting s where s.name = 'hold' and s.value <> '');
begin
  if throttle.hours_from is not null and not imago.is_open(throttle, clock_timestamp()) then
    result := result || row('hours', imago.hours_text(throttle), 1, null)::imago.measurement;
  end if;
  return result;
end
$$;
comment on function imago.read_operator(imago.throttle) is 'Signals operator and hours: there where what operators have asked for holds the run.';
