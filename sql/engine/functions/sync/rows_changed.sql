create or replace function imago.rows_changed(relation text, columns text[])
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  keys constant text[] := imago.primary_key(relation);
  key record;
  seed text := '0';
begin
  for key in select c.name, c.type from imago.journal_columns(relation, keys) c order by c.ordinal loop
    seed := imago.hash_of(key.name, key.type, seed);
  end loop;
  -- Of one row each the values are compared. Of many rows sums over the hash of each value with its key are: that takes no join.
  return format(
    'case when (select count(*) from imago_new) = 1 and (select count(*) from imago_old) = 1
       then (select %1$s from imago_old o, imago_new n)
       else (select %2$s from imago_old r) is distinct from (select %2$s from imago_new r) end',
    imago.each_column('o.%2$I::%5$s is distinct from n.%2$I::%5$s', relation, keys || columns, ' or '),
    (select format('sum(%s)', string_agg(
        format('coalesce(%1$s, %2$s # %3$s)', imago.hash_of(c.name, c.type, format('%s # %s', seed, c.ordinal)), seed, c.ordinal), ' # ' order by c.ordinal))
     from imago.journal_columns(relation, columns) c));
end
$$;
comment on function imago.rows_changed(text, text[]) is 'SQL for the trigger of a sync after updates: whether one of these columns, or a primary key, differs in any row.';
