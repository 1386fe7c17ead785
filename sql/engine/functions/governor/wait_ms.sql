create or replace function imago.wait_ms(governor imago.governor)
returns integer
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Not much longer than a look is good for: what holds the run may be over.
  return least(10000, greatest(imago.setting_number('look_ms'),
    1000 * coalesce(extract(epoch from governor.held_until - clock_timestamp()), 0)))::integer;
end
$$;
comment on function imago.wait_ms(imago.governor) is 'Milliseconds after which a caller of a held run is to ask again.';
