create or replace function imago.read_active(governor imago.governor)
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  return query select '', imago.active_others(governor.plan)::numeric, greatest(governor.usual_active, 9);
end
$$;
comment on function imago.read_active(imago.governor) is 'Signal active: sessions of others that are at work, and how many were when the run began.';
