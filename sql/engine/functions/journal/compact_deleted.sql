create or replace function imago.compact_deleted(write imago.plan_write, key_type text, batch bigint, entities text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  keys text := imago.each_column('key_%1$s', write.relation, write.key_columns);
  replaced text;
begin
  -- What was there before the batch: what is there now, less what it has inserted, and what it has deleted.
  execute format(
    'with counted as (
       select %1$s, count(*) filter (where j.op = ''d'') as gone, count(*) filter (where j.op = ''i'') as made
       from imago_undo.%2$I j where j.batch = $1 and j.op in (''d'', ''i'') and j.entity = any ($2::%3$s[])
       group by %1$s having count(*) > 1
     ), judged as (
       select c.*, c.gone - c.made + (select count(*) from %4$s t where %5$s) as before from counted c
     ), never_there as (
       delete from imago_undo.%2$I j using judged c
       where j.batch = $1 and j.op = ''d'' and j.entity = any ($2::%3$s[]) and c.before = 0 and %6$s
     )
     select min(concat_ws('','', %1$s)) from judged c where c.before > 0 and c.gone > 0',
    keys, write.undo_table, key_type, write.relation,
    imago.each_column('t.%2$I = c.key_%1$s::%3$s', write.relation, write.key_columns, ' and '),
    imago.each_column('j.key_%1$s = c.key_%1$s', write.relation, write.key_columns, ' and '))
  into replaced using batch, entities;
  if replaced is not null then
    raise exception using errcode = 'IM072', message = 'a row was deleted and inserted again under its key', table = write.relation;
  end if;
end
$$;
comment on function imago.compact_deleted(imago.plan_write, text, bigint, text[]) is 'Takes rows that a batch has inserted and deleted again out of its journal. Refuses (IM072) rows that were there before and came back under their key: the journal could not tell one from the other.';
