create or replace function imago.follow_references(write imago.plan_write, name text, was text[], becomes text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  place integer := array_position(write.columns, name);
  slot integer := case when write.inserts then array_position(write.inserted_columns, name) end;
  old_image integer := array_position(write.deleted_columns, name);
  kept text := (select c.kept from imago.journal_columns(write.relation, array[name]) c);
begin
  -- Both what the row held before and what was written name somebody who is called otherwise now.
  if place is not null then
    execute format(
      'update imago_undo.%1$I j set
         before_%2$s = coalesce((select m.becomes::%3$s from unnest($1::text[], $2::text[]) m(was, becomes) where m.was::%3$s = j.before_%2$s), j.before_%2$s),
         after_%2$s = coalesce((select m.becomes::%3$s from unnest($1::text[], $2::text[]) m(was, becomes) where m.was::%3$s = j.after_%2$s), j.after_%2$s)
       where j.before_%2$s = any ($1::%3$s[]) or j.after_%2$s = any ($1::%3$s[])',
      write.undo_table, place, kept)
    using was, becomes;
  end if;
  if old_image is not null then
    execute format(
      'update imago_undo.%1$I j set old_%2$s = m.becomes::%3$s%4$s from unnest($1::text[], $2::text[]) m(was, becomes)
       where j.op = ''d'' and j.old_%2$s = m.was::%3$s',
      write.undo_table, old_image, kept,
      case when name = any (write.key_columns) then format(', key_%s = m.becomes::%s', array_position(write.key_columns, name), kept) else '' end)
    using was, becomes;
  end if;
  if slot is not null then
    execute format(
      'update imago_undo.%1$I j set print[%2$s] = r.is_now
       from (select pg_catalog.hashtext(w collate "C") as was, pg_catalog.hashtext(b collate "C") as is_now from unnest($1::text[], $2::text[]) u(w, b)) r
       where j.op = ''i'' and j.print[%2$s] = r.was%3$s',
      write.undo_table, slot,
      -- The entities have followed already.
      case when name = write.entity_column then format(' and j.entity = any ($2::%s[])', imago.entity_type(write.undo_table)) else '' end)
    using was, becomes;
  end if;
end
$$;
comment on function imago.follow_references(imago.plan_write, text, text[], text[]) is 'Has the journal of a declared write follow keys that a column of it refers to (on update cascade). It may be read as a whole for that.';
