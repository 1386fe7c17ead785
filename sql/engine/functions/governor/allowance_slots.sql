create or replace function imago.allowance_slots(per_second integer)
returns integer
language plpgsql
immutable
set search_path = ''
as $$
begin
  return least(32, greatest(1, per_second / 10));
end
$$;
comment on function imago.allowance_slots(integer) is 'Into how many slots of imago.allowance a rate is divided: ten entities each at least.';
