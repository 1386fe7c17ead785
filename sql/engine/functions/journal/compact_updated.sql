create or replace function imago.compact_updated(write imago.plan_write, key_type text, batch bigint, entities text[])
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
begin
  -- Capture order is not write order. In the chain of values of one row every value but the first and the last is as
  -- often an after as a before, so the first is the one that is once more a before: no order needed.
  execute format(
    'with taken as (
       delete from imago_undo.%1$I j where j.batch = $1 and j.op <> ''i'' and j.entity = any ($2::%2$s[]) returning j.*
     ), images as (
       select entity, %3$s, %4$s, 1 as weight from taken
       union all
       select entity, %3$s, %5$s, -1 from taken
     ), firsts as (
       select entity, %3$s, %6$s, sum(weight) as weight from images group by entity, %3$s, %7$s
     )
     insert into imago_undo.%1$I (batch, entity, op, %3$s, %8$s, %9$s)
     select $1, j.entity, ''u'', %10$s, %11$s, %12$s
     from firsts j join %13$s t on %14$s
     where j.weight > 0',
    write.undo_table, key_type,
    imago.each_column('key_%1$s', write.relation, write.key_columns),
    imago.each_column('before_%1$s::text collate "C" as image_%1$s', write.relation, write.columns),
    imago.each_column('after_%1$s::text collate "C"', write.relation, write.columns),
    imago.each_column('image_%1$s', write.relation, write.columns),
    imago.each_column('image_%1$s', write.relation, write.columns),
    imago.each_column('before_%1$s', write.relation, write.columns),
    imago.each_column('after_%1$s', write.relation, write.columns),
    imago.each_column('j.key_%1$s', write.relation, write.key_columns),
    imago.each_column('j.image_%1$s::%4$s', write.relation, write.columns),
    imago.each_column('t.%2$I::%4$s', write.relation, write.columns),
    write.relation, key_join)
  using batch, entities;
end
$$;
comment on function imago.compact_updated(imago.plan_write, text, bigint, text[]) is 'Brings the journal of a batch to one row for each row that it updated: first image before, the table''s own value after.';
