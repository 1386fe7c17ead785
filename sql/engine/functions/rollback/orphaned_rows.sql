create or replace function imago.orphaned_rows(plan imago.plan, keys text[])
returns table (entity text, relation text, row_key text, reason_kind text, referenced_by text, goes_along boolean)
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  reference record;
  target imago.plan_write;
  same text;
  with_them text;
  later text;
begin
  for write in select w.* from imago.stage_writes(plan) w where w.deletes loop
    for reference in
      select c.confrelid, coalesce(pg_catalog.pg_partition_root(c.confrelid), c.confrelid)::pg_catalog.regclass as root, c.confdeltype, x.columns, x.targets
      from pg_catalog.pg_constraint c
      cross join lateral (
        select array_agg(a.attname::text order by k.n) as columns, array_agg(f.attname::text order by k.n) as targets
        from unnest(c.conkey, c.confkey) with ordinality k(own, other, n)
        join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.own
        join pg_catalog.pg_attribute f on f.attrelid = c.confrelid and f.attnum = k.other) x
      where c.contype = 'f' and c.conparentid = 0 and c.conrelid = pg_catalog.to_regclass(write.relation)
    loop
      same := (
        select string_agg(format('p.%I = r.old_%s::%s', reference.targets[n], array_position(write.deleted_columns, c),
          (select t.type from imago.journal_columns(write.relation, array[c]) t)), ' and ')
        from unnest(reference.columns) with ordinality u(c, n));
      with_them := 'false';
      later := 'false';
      -- Deleted rows of that table: those that come back with this one, and those of which nobody can say yet that they will not.
      for target in
        select w.* from imago.plan_write w
        where w.deletes and w.undo_table is not null and pg_catalog.to_regclass(w.relation) = reference.root
      loop
        later := later || format(' or exists (select from imago_undo.%I d where d.op = ''d'' and %s)', target.undo_table, (
          select string_agg(format('d.old_%s = r.old_%s', array_position(target.deleted_columns, reference.targets[n]), array_position(write.deleted_columns, c)), ' and ')
          from unnest(reference.columns) with ordinality u(c, n)));
        if target.plan = plan.name and target.stage = plan.stage then
          with_them := format('exists (select from (%s) d where %s)', imago.returning_rows(target, plan), (
            select string_agg(format('d.old_%s = r.old_%s', array_position(target.deleted_columns, reference.targets[n]), array_position(write.deleted_columns, c)), ' and ')
            from unnest(reference.columns) with ordinality u(c, n)));
        end if;
      end loop;
      return query execute format(
        'with lone as materialized (
           select r.* from (%1$s) r
           where %2$s and not exists (select from %3$s p where %4$s) and not (%5$s))
         select r.entity::text, %6$L::text, concat_ws('','', %7$s), ''orphaned''::text, %8$L::text, %9$L and not (%10$s) from lone r',
        imago.returning_rows(write, plan),
        (select string_agg(format('r.old_%s is not null', array_position(write.deleted_columns, c)), ' and ') from unnest(reference.columns) c),
        reference.confrelid::pg_catalog.regclass, same, with_them, write.relation,
        imago.each_column('r.key_%1$s', write.relation, write.key_columns), imago.name_of(reference.root), reference.confdeltype = 'c', later)
      using keys;
    end loop;
  end loop;
end
$$;
comment on function imago.orphaned_rows(imago.plan, text[]) is 'Deleted rows of these entities that refer to rows which are gone. goes_along: the app has deleted such a row since, and its foreign key would have taken ours along.';
