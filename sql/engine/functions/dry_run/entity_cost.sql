create or replace function imago.entity_cost(costs imago.cost[])
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  total constant imago.cost := costs[cardinality(costs)];
  -- What comes first is paid once: plans of queries, and images of pages that many share. The later half tells what goes on.
  early imago.cost := (select c from unnest(costs) c where c.moved <= total.moved / 2 order by c.moved desc limit 1);
  later bigint;
  images numeric;
  image_size numeric;
begin
  if coalesce(total.moved, 0) = 0 then
    return null;
  end if;
  early := coalesce(early, row(0, 0, 0, 0, 0)::imago.cost);
  later := total.moved - early.moved;
  images := (total.images - early.images)::numeric / later;
  image_size := coalesce(imago.image_bytes(total) / nullif(total.images, 0), current_setting('block_size')::numeric);
  return jsonb_build_object(
    'ms', round((total.ms - early.ms) / later, 3),
    'wal_bytes', round((total.wal_bytes - early.wal_bytes) / later),
    'wal_record_bytes', round(greatest(0, total.wal_bytes - early.wal_bytes - (total.images - early.images) * image_size) / later),
    'wal_images', round(images, 3), 'wal_image_bytes', round(image_size));
end
$$;
comment on function imago.entity_cost(imago.cost[]) is 'What an entity costs, from the later half of what a rehearsal has moved. Null where that is nothing.';
