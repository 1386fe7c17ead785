create or replace function imago.next_keys(run imago.run, plan imago.plan, lane imago.lane)
returns text[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  source text;
  walked text := case run.direction when 'forward' then format('%I', plan.key_column) else 'entity' end;
  range text;
  keys text[];
begin
  -- A bound that is null drops out of the text, so that the planner sees one plain index range.
  range := concat_ws(' and ',
    case when coalesce(lane.cursor_key, lane.lower_key) is not null then format('%s > $1::%s', walked, plan.key_type) end,
    case when lane.upper_key is not null then format('%s <= $2::%s', walked, plan.key_type) end);
  range := coalesce(nullif(range, ''), 'true');
  if run.direction = 'forward' then
    source := format('select %s as k from %I.%I where %s order by 1 limit $3', walked, plan.source_schema, plan.source_table, range);
  else
    select string_agg(
      format('(select distinct entity as k from imago_undo.%I where %s order by 1 limit $3)', w.undo_table, range), ' union ')
      into source
    from imago.plan_write w where w.plan = plan.name and w.stage = plan.stage and w.undo_table is not null;
    source := format('select k from (%s) journaled order by k limit $3', coalesce(source, 'select null::text as k where false'));
  end if;
  execute format('select array_agg(k::text order by k) from (%s) next', source)
    into keys using coalesce(lane.cursor_key, lane.lower_key), lane.upper_key, lane.batch_size;
  return keys;
end
$$;
comment on function imago.next_keys(imago.run, imago.plan, imago.lane) is 'The next keys of a lane by keyset, batch_size of them; null at its end. Forward walks the source, rollback the journal.';
