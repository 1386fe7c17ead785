create or replace function imago.undo_rows(write imago.plan_write, plan imago.plan, entities text[])
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  written_again boolean;
  keys text := imago.undo_list('key_%1$s', write.relation, write.key_columns);
  source text := format('imago_undo.%I u where u.entity = any ($1::%s[]) and u.op = ''u''', write.undo_table, plan.key_type);
begin
  if write.inserts then
    source := source || format(
      ' and not exists (select from imago_undo.%I i where i.entity = u.entity and i.op = ''i'' and %s)',
      write.undo_table, imago.undo_list('i.key_%1$s = u.key_%1$s', write.relation, write.key_columns, ' and '));
  end if;
  execute format(
    'select exists (select from imago_undo.%I u where u.entity = any ($1::%s[]) group by u.entity having min(u.batch) < max(u.batch))',
    write.undo_table, plan.key_type)
  into written_again using entities;
  if not written_again then
    return format('select u.entity, %s, %s, %s from %s',
      imago.undo_list('u.key_%1$s', write.relation, write.key_columns),
      imago.undo_list('u.before_%1$s', write.relation, write.columns),
      imago.undo_list('u.after_%1$s', write.relation, write.columns), source);
  end if;
  return format(
    'select f.entity, %1$s, %2$s, %3$s from
       (select distinct on (%4$s) u.* from %5$s order by %4$s, u.batch) f
       join (select distinct on (%4$s) u.* from %5$s order by %4$s, u.batch desc) l on %6$s',
    imago.undo_list('f.key_%1$s', write.relation, write.key_columns),
    imago.undo_list('f.before_%1$s', write.relation, write.columns),
    imago.undo_list('l.after_%1$s', write.relation, write.columns),
    keys, source,
    imago.undo_list('f.key_%1$s = l.key_%1$s', write.relation, write.key_columns, ' and '));
end
$$;
comment on function imago.undo_rows(imago.plan_write, imago.plan, text[]) is 'SQL: the updates of the entities $1, one row for each row written: before of the first batch, after of the last.';
