create or replace function imago.relation_problems(relation text, must_exist boolean default true)
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
declare
  class pg_catalog.pg_class;
begin
  select c.* into class from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass(relation);
  if not found then
    if must_exist then
      return query select 'error', 'missing_relation', relation, 'table is missing', 'Create it, or use a plan that fits this app.';
    end if;
    return;
  end if;
  if class.relkind not in ('r', 'p') or class.relispartition then
    return query select 'error', 'not_a_table', relation, 'is not a table or a partitioned parent',
      'Views, foreign tables and single partitions cannot be migrated; name the table itself.';
    return;
  end if;
  if not pg_catalog.pg_has_role(class.relowner, 'usage') then
    return query select 'error', 'foreign_owner', relation, format('is owned by %s, not by %s', class.relowner::pg_catalog.regrole, current_user),
      imago.owner_remedy(class.relowner);
  end if;
  return query
    select 'error', 'no_right', relation, format('%s has no right to %s', current_user, string_agg(r.name, ', ' order by r.n)),
      format('grant %s on %s to %I;', string_agg(r.name, ', ' order by r.n), relation, current_user)
    from unnest(array['select', 'insert', 'update', 'delete', 'references', 'trigger']) with ordinality r(name, n)
    where not pg_catalog.has_table_privilege(class.oid, r.name) and pg_catalog.pg_has_role(class.relowner, 'usage')
    having count(*) > 0;
  return query
    select 'error', 'no_right', format('schema %s', class.relnamespace::pg_catalog.regnamespace), format('%s may not create there', current_user),
      imago.schema_remedy(class.relnamespace, 'create')
    where not pg_catalog.has_schema_privilege(class.relnamespace, 'create');
  -- Keys of a parent hold neither for its children's rows nor are those seen by foreign keys; and triggers of the one do not fire
  -- for what is written through the other.
  return query
    select 'error', 'inheritance', relation, format('%s %s', case when i.inhparent = class.oid then 'is inherited by' else 'inherits from' end,
        case when i.inhparent = class.oid then i.inhrelid else i.inhparent end::pg_catalog.regclass),
      format('alter table %s no inherit %s; or make it a partitioned table.', i.inhrelid::pg_catalog.regclass, i.inhparent::pg_catalog.regclass)
    from pg_catalog.pg_inherits i
    where class.relkind = 'r' and class.oid in (i.inhparent, i.inhrelid);
  return query
    select 'error', case when c.relkind = 'f' then 'not_a_table' else 'foreign_owner' end, relation,
      case when c.relkind = 'f' then format('has the partition %s, a foreign table', c.oid::pg_catalog.regclass)
        else format('has the partition %s, which is owned by %s, not by %s', c.oid::pg_catalog.regclass, c.relowner::pg_catalog.regrole, current_user) end,
      case when c.relkind = 'f' then format('alter table %s detach partition %s; what is written there cannot be journaled.', relation, c.oid::pg_catalog.regclass)
        else imago.owner_remedy(c.relowner) end
    from pg_catalog.pg_partition_tree(class.oid) t join pg_catalog.pg_class c on c.oid = t.relid
    where c.relispartition and (c.relkind = 'f' or not pg_catalog.pg_has_role(c.relowner, 'usage'));
  if imago.primary_key(relation) is null then
    return query select 'error', 'no_primary_key', relation, 'has no primary key', 'Add one: the journal names rows by it.';
  end if;
end
$$;
comment on function imago.relation_problems(text, boolean) is 'For plans: what keeps a relation from being migrated. It is missing, no table, owned by somebody else, without rights, inherited, or has no primary key. Each is a row for preflight().

Example: select * from imago.relation_problems(''public.users'')';
