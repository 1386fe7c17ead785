create or replace function imago.journaled_print(write imago.plan_write, alias text)
returns text
language sql
immutable
set search_path = ''
as $$
  select case when write.inserted_prints = '{}' then format('%I.print', alias)
    else format('imago.fit_print(%I.print, %L::integer[], %L::text[])', alias, write.inserted_prints, write.inserted_columns) end
$$;
comment on function imago.journaled_print(imago.plan_write, text) is 'SQL: the print of a journaled row as it is compared with that of the table. Columns may have come or gone since it was taken.';
