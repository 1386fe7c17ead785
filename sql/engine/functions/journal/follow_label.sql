create or replace function imago.follow_label(write imago.plan_write, name text, was text[], becomes text[])
returns void
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  place integer := array_position(write.columns, name);
  slot integer := array_position(write.inserted_columns, name);
  is_array boolean := (
    select t.typcategory = 'A' from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
    where a.attrelid = write.relation::pg_catalog.regclass and a.attname = follow_label.name);
  image text;
begin
  -- All labels at once: two may have changed places.
  foreach image in array array(
    select i from unnest(array['before_' || place, 'after_' || place, 'key_' || array_position(write.key_columns, name), 'old_' || array_position(write.deleted_columns, name)]) i where i is not null)
  loop
    execute format(
      'update imago_undo.%1$I set %2$I = imago.relabel(%2$I, $1, $2, $3) where imago.relabel(%2$I, $1, $2, $3) <> %2$I', write.undo_table, image)
    using was, becomes, is_array;
  end loop;
  if place is null and not name = any (write.key_columns) then
    execute format(
      'update imago_undo.%I set side = side || jsonb_build_object($4, jsonb_build_array(
         imago.relabel(side -> $4 ->> 0, $1, $2, $3), imago.relabel(side -> $4 ->> 1, $1, $2, $3))) where side ? $4', write.undo_table)
    using was, becomes, is_array, name;
  end if;
  if slot is not null and is_array then
    -- What was written is told by the row as it is, unless somebody has edited it.
    execute format(
      'update imago_undo.%1$I j set print[%2$s] = pg_catalog.hashtext(t.%3$I::text collate "C") from %4$s t
       where j.op = ''i'' and %5$s and j.print[%2$s] = pg_catalog.hashtext(imago.relabel(t.%3$I::text, $2, $1, true) collate "C")',
      write.undo_table, slot, name, write.relation,
      imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '))
    using was, becomes;
  elsif slot is not null then
    execute format(
      'update imago_undo.%1$I j set print[%2$s] = r.is_now
       from (select pg_catalog.hashtext(w collate "C") as was, pg_catalog.hashtext(b collate "C") as is_now from unnest($1::text[], $2::text[]) u(w, b)) r
       where j.op = ''i'' and j.print[%2$s] = r.was', write.undo_table, slot)
    using was, becomes;
  end if;
end
$$;
comment on function imago.follow_label(imago.plan_write, text, text[], text[]) is 'Has the journal of a declared write follow labels of an enum that were renamed, in arrays and keys, too.';
