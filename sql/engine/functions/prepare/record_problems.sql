create or replace function imago.record_problems(staged imago.plan)
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  with wanted as (
    select k.n, k.name, imago.key_type(staged.source, k.name) as type,
      case when a.attcollation <> t.typcollation then format(' collate %I.%I', l.collnamespace::pg_catalog.regnamespace, l.collname) else '' end as collated,
      a.attcollation as collation
    from unnest(imago.key_names(staged.key_column)) with ordinality k(name, n)
    join pg_catalog.pg_attribute a on a.attrelid = pg_catalog.to_regclass(staged.source) and a.attname = k.name
    join pg_catalog.pg_type t on t.oid = a.atttypid
    left join pg_catalog.pg_collation l on l.oid = a.attcollation
    where pg_catalog.to_regclass(staged.source) is not null
  ), made as (
    select row_number() over (order by a.attnum) as n, pg_catalog.format_type(a.atttypid, a.atttypmod) as type, a.attcollation as collation
    from pg_catalog.pg_type t
    join pg_catalog.pg_attribute a on a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    where t.oid = pg_catalog.to_regtype(imago.found_key_type(staged)) and t.typtype = 'c'
  )
  select 'error', 'key_type', imago.found_key_type(staged),
    case when exists (select from made) then 'does not have the columns of the key as its fields' else 'is missing: a key of several columns needs a type' end,
    -- Functions that take such keys hold on to it.
    format('create type %s as (%s);', imago.found_key_type(staged), (select string_agg(format('%I %s%s', w.name, w.type, w.collated), ', ' order by w.n) from wanted w))
  where exists (select from wanted)
    and (select array_agg(row(w.type, w.collation) order by w.n) from wanted w) is distinct from (select array_agg(row(m.type, m.collation) order by m.n) from made m)
$$;
comment on function imago.record_problems(imago.plan) is 'An error where a key of several columns lacks its type, or that has other fields. The hint is the statement that makes it.';
