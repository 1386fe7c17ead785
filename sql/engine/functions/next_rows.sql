create or replace function imago.next_rows(run imago.run, plan imago.plan, lane imago.lane, out keys text[], out places text[])
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not lane.by_block then
    keys := imago.next_keys(run, plan, lane);
    places := keys;
    return;
  end if;
  execute format(
    'select array_agg(n.k::text order by n.place), array_agg(n.place::text order by n.place) from (
       select %1$I as k, ctid as place from %2$I.%3$I where ctid > $1::tid and ctid <= $2::tid order by ctid limit $3) n',
    plan.key_column, plan.source_schema, plan.source_table)
  into keys, places using coalesce(lane.cursor_key, lane.lower_key), lane.upper_key, lane.batch_size;
end
$$;
comment on function imago.next_rows(imago.run, imago.plan, imago.lane, out text[], out text[]) is 'The next keys of a lane, batch_size of them, and for each the place that the cursor is at once it is done: the key itself, or its ctid. Null at the end of the lane.';
