create or replace function imago.insert_query(write imago.plan_write, width integer, source text)
returns text
language sql
stable
set search_path = ''
as $$
  -- Of an earlier row the journal has not the columns that came later: they get their default, as rows did that were there.
  select format('insert into %s (%s) overriding system value select %s from %s r where r.width = %s',
    write.relation,
    imago.each_column('%2$I', write.relation, write.deleted_columns[:width]),
    imago.each_column('r.old_%1$s::%3$s', write.relation, write.deleted_columns[:width]),
    source, width)
$$;
comment on function imago.insert_query(imago.plan_write, integer, text) is 'SQL that inserts deleted rows from a source (returning_rows) again, of which the journal kept so many columns. A condition on them (r) may follow.';
