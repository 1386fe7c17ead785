create or replace function imago.watch_identity(plan_name text, columns text[])
returns text
language sql
immutable
set search_path = ''
as $$
  -- What goes wrong here never fails the app's write.
  select format(
    'begin
       imago_moved := %2$s;
     exception when others or assert_failure then
       -- A column is called otherwise by now.
       imago_moved := true;
     end;
     if imago_moved then
       begin
         imago_relation := imago.name_of(coalesce(pg_catalog.pg_partition_root(tg_relid), tg_relid));
         execute imago.moves_query(%1$L, imago_relation) into imago_moves;
         perform imago.follow_moves(%1$L, imago_relation, imago_moves);
       exception when others or assert_failure then
         perform imago.lose_rows(%1$L, imago_relation, null, sqlstate);
       end;
     end if;',
    plan_name, imago.identity_changed(columns))
$$;
comment on function imago.watch_identity(text, text[]) is 'PL/pgSQL of a trigger function after updates: has the journal follow rows whose identity_columns the app has changed.';
