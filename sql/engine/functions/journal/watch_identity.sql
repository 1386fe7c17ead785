create or replace function imago.watch_identity(plan_name text, relation text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  columns text[] := (imago.find_identity(plan_name, relation)).columns;
begin
  -- Nothing that goes wrong here fails the app's write. Most of its statements write one row, so that is asked first: it takes
  -- a third of the time. Of several rows it is an error.
  return format(
    '%4$s
     begin
       imago_moved := (select %2$s from old_rows o, new_rows n);
     exception
       when cardinality_violation then
         begin
           imago_moved := %3$s;
         exception when others or assert_failure then
           imago_moved := true;
         end;
       when others or assert_failure then
         -- A column is called otherwise by now.
         imago_moved := true;
     end;
     if imago_moved then
       begin
         imago_relation := imago.name_of(coalesce(pg_catalog.pg_partition_root(tg_relid), tg_relid));
         imago_identity := imago.find_identity(%1$L, imago_relation);
         execute imago.moves_query(imago_identity.columns) into imago_moves;
         perform imago.follow_moves(%1$L, imago_relation, imago_identity, imago_moves);
       exception when others or assert_failure then
         perform imago.lose_rows(%1$L, imago_relation, null, sqlstate);
       end;
     end if;',
    plan_name, imago.each_column('o.%2$I::%5$s is distinct from n.%2$I::%5$s', relation, columns, ' or '),
    imago.identity_changed(relation, columns, true),
    -- What merge moves to another partition comes to no trigger after updates.
    case when (select c.relkind = 'p' from pg_catalog.pg_class c where c.oid = relation::pg_catalog.regclass) then format(
      'get diagnostics imago_context = pg_context;
       if pg_catalog.current_query() || imago_context ~* ''\mmerge\M'' then
         perform imago.lose_rows(%L, imago.name_of(coalesce(pg_catalog.pg_partition_root(tg_relid), tg_relid)), null, null);
       end if;', plan_name) else '' end);
end
$$;
comment on function imago.watch_identity(text, text) is 'PL/pgSQL of a trigger function after updates: has the journal follow what the app changes of find_identity.';
