create or replace function imago.next_look_ms(governor imago.governor)
returns integer
language plpgsql
volatile
set search_path = ''
as $$
begin
  return greatest(1, 1000 * extract(epoch from
    governor.looked_at + make_interval(secs => imago.setting_number('look_ms') / 1000.0) - clock_timestamp()))::integer;
end
$$;
comment on function imago.next_look_ms(imago.governor) is 'Milliseconds until the next look is due.';
