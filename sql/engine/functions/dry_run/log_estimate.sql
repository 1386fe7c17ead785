create or replace function imago.log_estimate(cost jsonb, entities bigint, seconds numeric, pages numeric, new_pages numeric)
returns numeric
language plpgsql
stable
set search_path = ''
as $$
declare
  c record;
  images numeric;
  checkpoints numeric;
begin
  select * into c from jsonb_to_record(cost) c(wal_record_bytes numeric, wal_images numeric, wal_image_bytes numeric, rows_written numeric);
  images := c.wal_images * entities;
  -- As many checkpoints as will come: each lets every page be written in full once more. They spread their work over the time
  -- to the next one, so that about two of them are within max_wal_size.
  checkpoints := floor(
    2 * (c.wal_record_bytes * entities + least(images, pages) * c.wal_image_bytes) / pg_catalog.pg_size_bytes(current_setting('max_wal_size'))
    + seconds / extract(epoch from current_setting('checkpoint_timeout')::interval));
  if current_setting('full_page_writes')::boolean then
    -- Where the sample came upon pages that were in the log already, the next checkpoint changes that.
    if checkpoints >= 1 then
      images := greatest(images, least(pages, c.rows_written * entities));
    end if;
    -- A new page is in the log as it is filled: only after a checkpoint it comes once more.
    images := least(images, pages + checkpoints * (pages + new_pages));
  end if;
  return c.wal_record_bytes * entities + images * c.wal_image_bytes;
end
$$;
comment on function imago.log_estimate(jsonb, bigint, numeric, numeric, numeric) is 'Write-ahead log for so many entities in so many seconds. Its records grow with them; images of whole pages are as many as the sample had, and at most each page after each checkpoint.';
