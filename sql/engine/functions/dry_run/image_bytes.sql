create or replace function imago.image_bytes(cost imago.cost)
returns numeric
language sql
immutable
set search_path = ''
as $$
  -- Images leave out what is empty of a page, and may be compressed; a record that is none takes 50 bytes at least.
  select least(cost.images * current_setting('block_size')::numeric, greatest(0, cost.wal_bytes - 50 * cost.records))
$$;
comment on function imago.image_bytes(imago.cost) is 'Of the write-ahead log of a cost, what images of whole pages take at most.';
