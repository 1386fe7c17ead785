create or replace function imago.capture_keys(write imago.plan_write)
returns text
language sql
stable
set search_path = ''
as $$
  -- A row that was journaled has found itself by its key: where all have, none is to be looked at again. Only keys that change places
  -- in one statement find another row, and these do so only where their uniqueness is looked at later.
  select format(
    'if %1$s%2$s then
       if imago_fires and coalesce(current_setting(''imago.back'', true), '''') = '''' then
         raise exception using errcode = ''IM068'', message = ''a row got another key while a batch wrote it'', table = %3$L, detail = (
           select coalesce(jsonb_agg(distinct (%4$s)::text), ''[]'') from new_rows n where not exists (select from old_rows o where %5$s))::text;
       end if;
       raise exception using errcode = ''IM072'', message = ''a primary key was changed'', table = %3$L;
     end if; ',
    case when not k.deferrable and write.columns <> '{}' then '(imago_journaled is distinct from imago_rows) and ' end,
    imago.identity_changed(write.relation, write.key_columns, k.deferrable),
    write.relation, imago.entity_sql(write, 'n'),
    imago.each_column('o.%2$I = n.%2$I', write.relation, write.key_columns, ' and '))
  from (
    select exists (
      select from pg_catalog.pg_constraint c
      where c.conrelid = write.relation::pg_catalog.regclass and c.contype = 'p' and c.condeferrable) as deferrable) k
$$;
comment on function imago.capture_keys(imago.plan_write) is 'PL/pgSQL of a capture function: refuses rows whose primary key has changed, by which the journal knows them. IM068 where triggers of the app may have done so, else IM072.';
