create or replace function imago.object_address(object text, column_name text, out class oid, out id oid, out column_number integer)
language sql
stable
set search_path = ''
as $$
  select
    case when r.routine is not null then 'pg_catalog.pg_proc'::pg_catalog.regclass
      when r.relation is not null then 'pg_catalog.pg_class'::pg_catalog.regclass
      else 'pg_catalog.pg_type'::pg_catalog.regclass end,
    case when r.is_routine then r.routine
      when object_address.column_name is null or a.attnum is not null then coalesce(r.relation, pg_catalog.to_regtype(object)) end,
    coalesce(a.attnum, 0)
  from (
    -- PostgreSQL 15 raises an error where a name is none of the kind.
    select n.is_routine,
      case when n.is_routine then pg_catalog.to_regprocedure(object)::oid end as routine,
      case when not n.is_routine then pg_catalog.to_regclass(object)::oid end as relation
    from (select right(object, 1) = ')' as is_routine) n
  ) r
  left join pg_catalog.pg_attribute a
    on a.attrelid = r.relation and a.attname = object_address.column_name and a.attnum > 0 and not a.attisdropped
$$;
comment on function imago.object_address(text, text, out oid, out oid, out integer) is 'Where the catalogue keeps a table, index, type, function or, with column_name, a column; id is null if there is none.';
