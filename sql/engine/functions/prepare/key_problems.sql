create or replace function imago.key_problems(staged imago.plan)
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
declare
  names constant text[] := imago.key_names(staged.key_column);
  purpose constant text := 'The walk needs a unique index on the key.';
  name text;
begin
  foreach name in array names loop
    return query
      select p.severity, p.kind, p.object, p.message,
        p.hint || case p.kind when 'wrong_type' then format(
          ' Or add a column to walk by, which rewrites the table while nobody can use it: '
          'alter table %s add walk_key bigint generated always as identity unique;', staged.source)
        else '' end
      from imago.column_problems(staged.source, name, case cardinality(names)
        when 1 then array['uuid', 'smallint', 'integer', 'bigint', 'text', 'character varying']
        else array['uuid', 'smallint', 'integer', 'bigint', 'text', 'character varying', 'boolean', 'date', 'numeric',
          'timestamp with time zone', 'timestamp without time zone'] end) p;
    return query
      select 'error', 'nullable', format('%s.%I', staged.source, name), 'may be null',
        format('Rows without a key cannot be walked. Give each one, then: alter table %s alter column %I set not null;', staged.source, name)
      from pg_catalog.pg_attribute a
      join pg_catalog.pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p')
      where a.attrelid = pg_catalog.to_regclass(staged.source) and a.attname = name and not a.attnotnull;
  end loop;
  if cardinality(names) = 1 then
    return query select * from imago.unique_problems(staged.source, names[1], purpose);
    return;
  end if;
  return query
    select 'error', 'not_unique', format('%s (%s)', staged.source, (select string_agg(quote_ident(n), ', ') from unnest(names) n)),
      'has no unique index on these columns, in this order', purpose
    from pg_catalog.pg_class c
    where c.oid = pg_catalog.to_regclass(staged.source) and not exists (
      select from pg_catalog.pg_index i
      where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indnkeyatts = cardinality(names)
        and names = array(
          select a.attname::text from generate_series(0, i.indnkeyatts - 1) k
          join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[k] order by k));
  return query select * from imago.record_problems(staged);
end
$$;
comment on function imago.key_problems(imago.plan) is 'What keeps a stage from being walked by its key. A column is missing, of another type or nullable, nothing makes it unique, or a key of several columns has no type.';
