create or replace function imago.next_rows(run imago.run, plan imago.plan, lane imago.lane, out keys text[], out places text[], out rows bigint)
language plpgsql
volatile
set search_path = ''
as $$
declare
  cursor_key text := coalesce(lane.cursor_key, lane.lower_key);
  relation text := coalesce(lane.partition, plan.source);
  kept constant text := imago.kept_type(plan);
  range text;
begin
  if lane.partition is not null and not imago.is_partition_of(lane.partition, plan.source) then
    return;
  end if;
  if not lane.by_block then
    if run.direction = 'rollback' then
      range := imago.walk_range('entity', kept, cursor_key, lane.upper_key);
      -- As many as are wanted of each undo table of the stage.
      select format('(%s)', coalesce(
        string_agg(format(
          '(select distinct entity from imago_undo.%I where %s order by 1 limit $3)', w.undo_table, range), ' union '),
        format('select null::%s as entity where false', kept)))
        into relation
      from imago.stage_writes(plan) w;
    end if;
    keys := imago.walk_keys(relation, case run.direction when 'forward' then plan.key_column else 'entity' end,
      case run.direction when 'forward' then plan.key_type else kept end, cursor_key, lane.upper_key, lane.batch_size);
    places := keys;
    rows := cardinality(keys);
    return;
  end if;
  -- In the journal an entity can have several rows. It is done with its last one: what lies before that is behind the cursor then.
  execute (
    select format(
      'select array_agg(n.k order by n.place), array_agg(n.place::text order by n.place), sum(n.rows) from (
         select r.k, max(r.place) as place, count(*) as rows from (
           select %1$s as k, t.ctid as place from %2$I.%3$I t where t.ctid > $1::tid and t.ctid <= $2::tid order by t.ctid limit $3) r
         group by r.k) n',
      case run.direction when 'forward' then imago.text_of_key(plan.key_type, imago.key_sql(w.key_column, plan.key_type, 't')) else 't.entity::text' end,
      w.relation_schema, w.relation_name)
    from imago.walked_rows(run, plan) w
    where w.partition is not distinct from lane.partition)
  into keys, places, rows using cursor_key, lane.upper_key, lane.batch_size;
end
$$;
comment on function imago.next_rows(imago.run, imago.plan, imago.lane, out text[], out text[], out bigint) is 'The next keys of a lane, and for each the place that the cursor is at once it is done: the key itself, or a ctid. rows: how many were read, batch_size of them, or all that remain. Null at the end of the lane.';
