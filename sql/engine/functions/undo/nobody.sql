create or replace function imago.nobody(undo_table text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  kept constant text := imago.entity_type(undo_table);
begin
  if imago.key_fields(kept) is null then
    return imago.least_value(kept);
  end if;
  return (
    select format('(%s)', string_agg('"' || imago.least_value(pg_catalog.format_type(a.atttypid, a.atttypmod)) || '"', ',' order by a.attnum))
    from pg_catalog.pg_type t
    join pg_catalog.pg_attribute a on a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    where t.oid = kept::pg_catalog.regtype);
end
$$;
comment on function imago.nobody(text) is 'The key under which an undo table has rows that belong to no entity: one that nobody has.';
