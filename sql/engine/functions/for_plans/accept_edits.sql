create or replace function imago.accept_edits(plan text, relation text, columns text[], former text, keys anyarray)
returns void
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  write imago.plan_write := (select w from imago.plan_write w where w.plan = accept_edits.plan and w.relation = accept_edits.relation);
begin
  if write.undo_table is null then
    return;
  end if;
  execute format(
    'update imago_undo.%1$I j set print = %2$s
     from %3$s t join (%4$s) f on %5$s
     where j.entity = (%6$s)::%7$s and j.op = ''i'' and %8$s
       and %10$s = array[%9$s]::integer[]',
    write.undo_table, imago.fingerprint('t', write.inserted_columns), relation, former,
    imago.each_column('f.%2$I = t.%2$I', relation, write.key_columns, ' and '),
    imago.entity_sql(write, 't'), imago.entity_type(write.undo_table),
    imago.each_column('j.key_%1$s::%3$s = t.%2$I', relation, write.key_columns, ' and '),
    -- With the former values put in, a row that nobody has edited otherwise has the print of the journal.
    (select string_agg(imago.fingerprint_part(case when c = any (columns) then 'f' else 't' end, c), ', ' order by n)
     from unnest(write.inserted_columns) with ordinality i(c, n)),
    imago.journaled_print(write, 'j'))
  using keys;
end
$$;
comment on function imago.accept_edits(text, text, text[], text, anyarray) is 'For plans: has the journal take over edits of inserted rows that a plan brings to the other side. They are no conflict then. former is a query over keys ($1): the row''s key and these columns as they were before. A row that was edited otherwise stays a conflict.

Example: select imago.accept_edits(''profile_gigs'', ''public."Gigs"'', ''{skills}'', ''select g.id, u.skills from public."Gigs" g join public."User" u on u.id = g."userId" where g.id = any ($1)'', array[1, 2])';
