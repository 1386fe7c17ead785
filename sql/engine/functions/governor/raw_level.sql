create or replace function imago.raw_level(signal imago.signal, value numeric, capacity numeric)
returns integer
language plpgsql
immutable
set search_path = ''
as $$
declare
  measured constant numeric := case when signal.of_capacity then 100 * value / nullif(capacity, 0) else value end;
begin
  return case
    when signal.low then case when measured < signal.hold then 2 when measured < signal.slow then 1 else 0 end
    when measured >= signal.hold then 2
    when measured >= signal.slow then 1
    else 0
  end;
end
$$;
comment on function imago.raw_level(imago.signal, numeric, numeric) is 'What a value says by itself, whatever was seen before: 0 fine, 1 slow, 2 hold.';
