create or replace function imago.restore_sql(write imago.plan_write, query text, forced text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return format(
    'with done as (
       update %2$s t set %3$s from (%1$s) j where %4$s and (%5$s) and (%6$s or %7$s)
       returning %5$s as is_altered, not (%4$s) as is_moved)
     select count(*) as rows, coalesce(bool_or(d.is_altered), false) as altered, coalesce(bool_or(d.is_moved), false) as moved from done d',
    query, write.relation, imago.each_column('%2$I = j.before_%1$s::%3$s', write.relation, write.columns),
    imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '),
    imago.each_column('t.%2$I::%5$s is distinct from j.before_%1$s::%5$s', write.relation, write.columns, ' or '), forced,
    imago.each_column('t.%2$I::%5$s is not distinct from j.after_%1$s::%5$s', write.relation, write.columns, ' and '));
end
$$;
comment on function imago.restore_sql(imago.plan_write, text, text) is 'SQL that restores the rows of a journal''s query, and counts them; altered and moved as in imago.way_back. Forced, SQL that says so: also rows that hold something else than we wrote.';
