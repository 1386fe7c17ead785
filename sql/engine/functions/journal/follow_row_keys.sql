create or replace function imago.follow_row_keys(write imago.plan_write, names text[], moves jsonb)
returns void
language plpgsql
volatile
set search_path = ''
-- By the entity, which the journal has an index on.
set enable_seqscan = off
as $$
declare
  moved jsonb := imago.resolve_moves(write, names, moves);
  entity_type text := imago.entity_type(write.undo_table);
  source constant text :=
    'jsonb_to_recordset($1) m(old_key text[], new_key text[], old_entity text, new_entity text, is_certain boolean, is_there boolean, entities text[])';
  same_entity text := format('j.entity = any (m.entities::%s[])', entity_type);
  same_key text := imago.each_column('j.key_%1$s = m.%%1$s[%1$s]::%4$s', write.relation, write.key_columns, ' and ');
  new_key text := imago.each_column('key_%1$s = m.new_key[%1$s]::%4$s', write.relation, write.key_columns);
  goes_along boolean := imago.goes_along(write);
  lost text[];
begin
  -- Rows that only were given to somebody, and stay with the entity that they were written for, keep their journal as it is.
  if not goes_along and not moved @? '$[*] ? (@.old_key != @.new_key)' then
    perform imago.follow_strays(write, moved);
    return;
  end if;
  execute format(
    'update imago_undo.%1$I j set %2$s%3$s from %4$s where m.is_certain and j.op <> ''i'' and %5$s and %6$s',
    write.undo_table, new_key,
    case when goes_along
      then format(', entity = case when j.entity = m.old_entity::%1$s then coalesce(m.new_entity::%1$s, j.entity) else j.entity end', entity_type) else '' end,
    source, same_entity, format(same_key, 'old_key'))
  using moved;
  if write.inserts then
    -- What a row is called is no edit of it.
    execute format(
      'update imago_undo.%1$I j set %2$s%3$s from %4$s where m.is_certain and m.old_key <> m.new_key and j.op = ''i'' and %5$s and %6$s',
      write.undo_table, new_key,
      (select string_agg(format(
         ', print[%1$s] = case when j.print[%1$s] = pg_catalog.hashtext(m.old_key[%2$s] collate "C") then pg_catalog.hashtext(m.new_key[%2$s] collate "C") else j.print[%1$s] end',
         array_position(write.inserted_columns, c), n), '') from unnest(write.key_columns) with ordinality u(c, n)),
      source, same_entity, format(same_key, 'old_key'))
    using moved;
  end if;
  perform imago.follow_strays(write, moved);
  -- Where it cannot be told which row is which, what a rollback does not find has not been deleted for certain.
  if not moved @? '$[*] ? (@.is_certain == false || @.is_there == false)' then
    return;
  end if;
  execute format(
    'select array_agg(distinct j.entity::text) from %s join imago_undo.%I j on %s where not (m.is_certain and m.is_there)',
    source, write.undo_table, same_entity)
  into lost using moved;
  if lost is not null then
    perform imago.lose_rows(write.plan, write.relation, lost, null);
  end if;
end
$$;
comment on function imago.follow_row_keys(imago.plan_write, text[], jsonb) is 'Has the journal of a declared write follow rows that got another key, or were given to another entity (resolve_moves).';
