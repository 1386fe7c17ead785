create or replace function imago.compact_inserted(write imago.plan_write, key_type text, batch bigint, entities text[])
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
  key_join text := imago.each_column('t.%2$I::%4$s = j.key_%1$s', write.relation, write.key_columns, ' and ');
  same_key text := imago.each_column('i.key_%1$s = j.key_%1$s', write.relation, write.key_columns, ' and ');
begin
  execute format(
    'update imago_undo.%1$I j set print = %2$s from %3$s t
     where %4$s and j.batch = $1 and j.op = ''i'' and j.entity = any ($2::%5$s[]) and j.print is distinct from %2$s',
    write.undo_table, imago.fingerprint('t', write.inserted_columns), write.relation, key_join, key_type)
  using batch, entities;
  execute format(
    'delete from imago_undo.%1$I j where j.batch = $1 and j.op = ''i'' and j.entity = any ($2::%2$s[])
       and not exists (select from %3$s t where %4$s)',
    write.undo_table, key_type, write.relation, key_join)
  using batch, entities;
  execute format(
    'delete from imago_undo.%1$I j using imago_undo.%1$I i
     where j.batch = $1 and j.op in (''u'', ''n'') and j.entity = any ($2::%2$s[])
       and i.batch = $1 and i.op = ''i'' and i.entity = j.entity and %3$s',
    write.undo_table, key_type, same_key)
  using batch, entities;
end
$$;
comment on function imago.compact_inserted(imago.plan_write, text, bigint, text[]) is 'Brings the journal of a batch up to date for rows that it inserted. Fingerprints are of the rows as they are now, rows that are gone are forgotten, and what was updated after it was inserted counts as inserted only.';
