create or replace function imago.journal_columns(relation text, columns text[])
returns table (ordinal integer, name text, type text, kept text, comparable boolean, nullable boolean, collated text)
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
#variable_conflict use_column
begin
  return query
  select
    c.ordinal::integer,
    a.attname::text,
    pg_catalog.format_type(a.atttypid, a.atttypmod),
    case when t.is_plain then pg_catalog.format_type(a.atttypid, a.atttypmod) else imago.journal_type(a.atttypid, a.atttypmod) end,
    case when t.is_plain then pg_catalog.format_type(a.atttypid, -1) else imago.journal_type(a.atttypid, -1) end in (
      'boolean', 'smallint', 'integer', 'bigint', 'oid', 'uuid', 'date', 'bytea',
      'timestamp without time zone', 'timestamp with time zone'),
    not a.attnotnull,
    (select format('collate %I.%I', l.collnamespace::pg_catalog.regnamespace, l.collname)
     from pg_catalog.pg_collation l where l.oid = a.attcollation and l.collname <> 'default')
  from unnest(journal_columns.columns) with ordinality c(name, ordinal)
  join pg_catalog.pg_attribute a
    on a.attrelid = journal_columns.relation::pg_catalog.regclass and a.attname = c.name and a.attnum > 0 and not a.attisdropped
  -- Most types are journaled as they are: no domain, no enum, no array of these.
  cross join lateral (
    select y.typtype = 'b' and y.typelem = 0 from pg_catalog.pg_type y where y.oid = a.atttypid) t(is_plain)
  order by c.ordinal;
end
$$;
comment on function imago.journal_columns(text, text[]) is 'The named columns in the given order, each with its own type, and with type and collation in the journal. comparable: two values of that type that are equal are also the same (1.0 and 1.00, or a citext in other letters, are not).';
