create or replace function imago.read_operator(signal text, throttle imago.throttle)
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
declare
  held boolean;
begin
  case signal
    when 'operator' then
      return query select s.value, 1::numeric, null::numeric from imago.setting s where s.name = 'hold' and s.value <> '';
    when 'hours' then
      if not imago.is_open(throttle, clock_timestamp()) then
        return query select imago.hours_text(throttle), 1::numeric, null::numeric;
      end if;
    when 'query' then
      if throttle.throttle_query is not null then
        execute throttle.throttle_query into held;
        return query select '', 1::numeric, null::numeric where held;
      end if;
  end case;
end
$$;
comment on function imago.read_operator(text, imago.throttle) is 'Signals operator, hours and query: a row where what operators have asked for holds the run.';
