create or replace function imago.refuse_new_keys(write imago.plan_write)
returns text
language sql
stable
set search_path = ''
as $$
  select format(
    'if coalesce(current_setting(''imago.back'', true), '''') = '''' and imago_fires and %1$s then
       raise exception using errcode = ''IM068'', message = ''a row got another key while a batch wrote it'', table = %2$L, detail = (
         select coalesce(jsonb_agg(distinct n.%3$I::text), ''[]'') from new_rows n where not exists (select from old_rows o where %4$s))::text;
     end if; ',
    -- Keys change places in one statement only where their uniqueness is looked at later.
    imago.identity_changed(write.relation, write.key_columns, exists (
      select from pg_catalog.pg_constraint c
      where c.conrelid = write.relation::pg_catalog.regclass and c.contype = 'p' and c.condeferrable)),
    write.relation, write.entity_column,
    imago.each_column('o.%2$I = n.%2$I', write.relation, write.key_columns, ' and '))
$$;
comment on function imago.refuse_new_keys(imago.plan_write) is 'PL/pgSQL of a capture function: raises IM068 where a trigger of the app has given rows that a batch writes another key. The journal knows rows by it.';
