create or replace function imago.moved_key(names text[], key_column text, record_type text, image text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  columns constant text[] := imago.key_names(key_column);
  fields text[];
begin
  if cardinality(columns) = 1 then
    return format('%s ->> %s', image, array_position(names, key_column) - 1);
  end if;
  fields := imago.key_fields(record_type);
  return (
    select format('case when num_nulls(%s) = 0 then (
        select %s from (select pg_catalog.jsonb_populate_record(null::%s, jsonb_build_object(%s)) as key offset 0) r) end',
      string_agg(format('%s ->> %s', image, array_position(names, c) - 1), ', '),
      imago.text_of_key(record_type, 'r.key'), record_type,
      string_agg(format('%L, %s -> %s', fields[n], image, array_position(names, c) - 1), ', '))
    from unnest(columns) with ordinality u(c, n));
end
$$;
comment on function imago.moved_key(text[], text, text, text) is 'SQL: the text of a key from a list of values in JSON, whose columns are these; null where one of its columns is.';
