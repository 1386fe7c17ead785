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
  sums text;
begin
  for key in select c.name, c.type from imago.journal_columns(relation, keys) c order by c.ordinal loop
    seed := imago.hash_of(key.name, key.type, seed);
  end loop;
  select format('(select sum(%1$s) from imago_old r) is distinct from (select sum(%1$s) from imago_new r)', string_agg(
      format('coalesce(%1$s, %2$s # %3$s)', imago.hash_of(c.name, c.type, format('%s # %s', seed, c.ordinal)), seed, c.ordinal),
      ' # ' order by c.ordinal))
    into sums
  from imago.journal_columns(relation, columns) c;
  -- Most statements write one row, so the values of one are compared first, alone: of several it is an error, of none null. Then sums
  -- over the hash of each value with its key are: that takes no join.
  return format(
    'begin
       imago_changed := (select %1$s from imago_old o, imago_new n);
       if imago_changed is null then
         imago_changed := %2$s;
       end if;
     exception
       when cardinality_violation then
         begin
           imago_changed := %2$s;
         exception when others or assert_failure then
           imago_changed := true;
         end;
       when others or assert_failure then
         imago_changed := true;
     end;',
    imago.each_column('o.%2$I::%5$s is distinct from n.%2$I::%5$s', relation, keys || columns, ' or '), sums);
end
$$;
comment on function imago.rows_changed(text, text[]) is 'PL/pgSQL of a sync after updates: whether one of these columns, or a key, differs in any row.';
