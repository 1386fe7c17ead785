create or replace function imago.follow_label(write imago.plan_write, name text, was text[], becomes text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  place integer := array_position(write.columns, name);
  slot integer := array_position(write.inserted_columns, name);
  image text;
begin
  -- All at once: two labels may have changed places.
  if place is not null then
    foreach image in array array['before_' || place, 'after_' || place] loop
      execute format('update imago_undo.%1$I set %2$I = ($2::text[])[array_position($1::text[], %2$I)] where %2$I = any ($1)', write.undo_table, image)
      using was, becomes;
    end loop;
  elsif name <> all (write.key_columns) then
    execute format(
      'update imago_undo.%I set side = side || jsonb_build_object($3, jsonb_build_array(
         coalesce(($2::text[])[array_position($1::text[], side -> $3 ->> 0)], side -> $3 ->> 0),
         coalesce(($2::text[])[array_position($1::text[], side -> $3 ->> 1)], side -> $3 ->> 1))) where side ? $3', write.undo_table)
    using was, becomes, name;
  end if;
  if slot is not null then
    execute format(
      'update imago_undo.%1$I j set print[%2$s] = r.is_now
       from (select pg_catalog.hashtext(w collate "C") as was, pg_catalog.hashtext(b collate "C") as is_now from unnest($1::text[], $2::text[]) u(w, b)) r
       where j.op = ''i'' and j.print[%2$s] = r.was', write.undo_table, slot)
    using was, becomes;
  end if;
end
$$;
comment on function imago.follow_label(imago.plan_write, text, text[], text[]) is 'Has the journal of a declared write follow labels of an enum that were renamed.';
