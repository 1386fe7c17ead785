create or replace function imago.reading_problems(relation text, must_exist boolean default true)
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
begin
  if imago.is_owned(relation) is not false then
    return query select * from imago.relation_problems(relation, must_exist);
    return;
  end if;
  return query select p.* from imago.relation_problems(relation, must_exist) p where p.kind not in ('foreign_owner', 'no_right');
  return query
    select 'error', 'no_right', relation, format('%s has no right to select', current_user), imago.owner_remedy(c.relowner)
    from pg_catalog.pg_class c
    where c.oid = pg_catalog.to_regclass(relation) and c.relkind in ('r', 'p') and not pg_catalog.has_table_privilege(c.oid, 'select');
end
$$;
comment on function imago.reading_problems(text, boolean) is 'What keeps a table from being walked or followed. It need not be ours for that: what we may not do there, foreign_notes says.';
