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
      format('alter table %s owner to %I, or install Imago as its owner.', relation, current_user);
  end if;
  if imago.primary_key(relation) is null then
    return query select 'error', 'no_primary_key', relation, 'has no primary key', 'Add one: the journal names rows by it.';
  end if;
end
$$;
comment on function imago.relation_problems(text, boolean) is 'For plans: what keeps a relation from being migrated: missing, no table, owned by somebody else, no primary key. Each is a row for preflight().

Example: select * from imago.relation_problems(''public.users'')';
