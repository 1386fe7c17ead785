create or replace function imago.bounding_rate(room numeric, entity_wal numeric)
returns integer
language sql
immutable
set search_path = ''
as $$
  -- A fifth is kept for what others write, and for what the sample did not have.
  select case when r.rate >= 1 then least(r.rate, 2147483647)::integer end
  from (select floor(0.8 * room / nullif(entity_wal, 0)) as rate) r
$$;
comment on function imago.bounding_rate(numeric, numeric) is 'How many entities a second keep within so many bytes of write-ahead log a second; null where not even one does.';
