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
  keys text := imago.each_column('key_%1$s', write.relation, write.key_columns);
  key_join text := imago.each_column('t.%2$I::%4$s = j.key_%1$s', write.relation, write.key_columns, ' and ');
  has_sides boolean;
begin
  execute format('select exists (select from imago_undo.%I j where j.batch = $1 and j.entity = any ($2::%s[]) and j.side is not null)',
    write.undo_table, key_type) into has_sides using batch, entities;
  if write.columns = '{}' and not has_sides then
    return;
  end if;
  -- Capture order is not write order. In the chain of values of one row every value but the first and the last is as
  -- often an after as a before, so the first is the one that is once more a before: no order needed.
  execute format(
    'with taken as (
       delete from imago_undo.%1$I j where j.batch = $1 and j.op in (''u'', ''n'') and j.entity = any ($2::%2$s[]) returning j.*
     ), images as (
       select entity, %3$s%4$s, 1 as weight from taken
       union all
       select entity, %3$s%5$s, -1 from taken
     ), firsts as (
       select entity, %3$s%6$s, sum(weight) as weight from images group by entity, %3$s%6$s
     ), changed as (
       select * from firsts where weight > 0
     ) %14$s
     insert into imago_undo.%1$I (batch, entity, op, %3$s%7$s%8$s, side)
     select $1, j.entity, ''u'', %9$s%10$s%11$s, %15$s
     from %16$s j join %12$s t on %13$s',
    write.undo_table, key_type, keys,
    imago.each_column(', before_%1$s::text collate "C" as image_%1$s', write.relation, write.columns, ''),
    imago.each_column(', after_%1$s::text collate "C"', write.relation, write.columns, ''),
    imago.each_column(', image_%1$s', write.relation, write.columns, ''),
    imago.each_column(', before_%1$s', write.relation, write.columns, ''),
    imago.each_column(', after_%1$s', write.relation, write.columns, ''),
    imago.each_column('j.key_%1$s', write.relation, write.key_columns),
    -- A row whose declared columns are what they were is there for what changed beside them.
    imago.each_column(case when has_sides then ', case when j.weight > 0 then j.image_%1$s::%4$s else t.%2$I::%4$s end' else ', j.image_%1$s::%4$s' end,
                      write.relation, write.columns, ''),
    imago.each_column(', t.%2$I::%4$s', write.relation, write.columns, ''),
    imago.with_gone(write, format('d.batch = $1 and d.entity = any ($2::%s[])', key_type)), key_join,
    case when has_sides then imago.compact_sides(write, key_type) else '' end,
    case when has_sides then 'j.side' else 'null' end,
    case when has_sides then 'changed_or_beside' else 'changed' end)
  using batch, entities;
end
$$;
comment on function imago.compact_updated(imago.plan_write, text, bigint, text[]) is 'Brings the journal of a batch to one row for each row that it updated: first image before, the table''s own value after. Of a row that it has deleted after that, the value with which it went.';
