create or replace function imago.capture_keys(write imago.plan_write)
returns text
language sql
stable
set search_path = ''
as $$
  select imago.trigger_query(
      'select exists (select from new_rows n where not exists (select from old_rows o where %1$s))', '{}', 'into imago_moved',
      imago.each_column('o.%2$I = n.%2$I', write.relation, write.key_columns, ' and '))
    || format(
      'if imago_moved then
         raise exception using errcode = ''IM072'', message = ''a primary key was changed'', table = %L;
       end if;', write.relation)
$$;
comment on function imago.capture_keys(imago.plan_write) is 'PL/pgSQL of a capture function: refuses rows whose primary key a batch, or a trigger of the app, has changed (IM072).';
