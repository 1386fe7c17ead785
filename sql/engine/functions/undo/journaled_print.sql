create or replace function imago.journaled_print(write imago.plan_write, alias text)
returns text
language plpgsql
immutable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select case when '' = any (write.inserted_columns) then format('imago.fit_print(%I.print, %L::text[])', alias, write.inserted_columns)
      else format('%I.print', alias) end);
end
$$;
comment on function imago.journaled_print(imago.plan_write, text) is 'SQL: the print of a journaled row as it is compared with that of the table. Columns may have gone since it was taken.';
