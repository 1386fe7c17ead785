create or replace function imago.settle_batch(batch bigint, plan imago.plan, keys text[])
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
  write imago.plan_write;
  key_join text;
  same_key text;
  entities text[];
  key_type text;
begin
  for write in
    select w.* from imago.plan_write w
    where w.plan = plan.name and coalesce(nullif(current_setting('imago.fired_' || w.id, true), ''), '0')::integer > 1
  loop
    key_join := imago.undo_list('t.%2$I::%4$s = j.key_%1$s', write.relation, write.key_columns, ' and ');
    same_key := imago.undo_list('i.key_%1$s = j.key_%1$s', write.relation, write.key_columns, ' and ');
    -- Triggers of the app may have written rows of entities that are not of this batch; rows of another stage all are.
    execute format(
      'select $2 || coalesce(array_agg(distinct n.entity::text), ''{}'') from imago_undo.%I n where n.batch = $1%s',
      write.undo_table, case when write.stage = plan.stage then ' and n.op = ''n''' else '' end)
    into entities using batch, case when write.stage = plan.stage then keys else '{}' end;
    key_type := (imago.stage(plan, write.stage)).key_type;

    if write.inserts then
      execute format(
        'update imago_undo.%1$I j set print = %2$s from %3$s t
         where %4$s and j.batch = $1 and j.op = ''i'' and j.entity = any ($2::%5$s[]) and j.print is distinct from %2$s',
        write.undo_table, imago.undo_print('t', write.inserted_columns), write.relation, key_join, key_type)
      using batch, entities;
      execute format(
        'delete from imago_undo.%1$I j where j.batch = $1 and j.op = ''i'' and j.entity = any ($2::%2$s[])
           and not exists (select from %3$s t where %4$s)',
        write.undo_table, key_type, write.relation, key_join)
      using batch, entities;
      execute format(
        'delete from imago_undo.%1$I j using imago_undo.%1$I i
         where j.batch = $1 and j.op <> ''i'' and j.entity = any ($2::%2$s[])
           and i.batch = $1 and i.op = ''i'' and i.entity = j.entity and %3$s',
        write.undo_table, key_type, same_key)
      using batch, entities;
    end if;

    if write.columns <> '{}' then
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
        imago.undo_list('key_%1$s', write.relation, write.key_columns),
        imago.undo_list('before_%1$s::text collate "C" as image_%1$s', write.relation, write.columns),
        imago.undo_list('after_%1$s::text collate "C"', write.relation, write.columns),
        imago.undo_list('image_%1$s', write.relation, write.columns),
        imago.undo_list('image_%1$s', write.relation, write.columns),
        imago.undo_list('before_%1$s', write.relation, write.columns),
        imago.undo_list('after_%1$s', write.relation, write.columns),
        imago.undo_list('j.key_%1$s', write.relation, write.key_columns),
        imago.undo_list('j.image_%1$s::%4$s', write.relation, write.columns),
        imago.undo_list('t.%2$I::%4$s', write.relation, write.columns),
        write.relation, key_join)
      using batch, entities;
    end if;
  end loop;
end
$$;
comment on function imago.settle_batch(bigint, imago.plan, text[]) is 'Brings the journal of a batch to one row for each row written: first image before, the table''s own value after. Only relations captured more than once need it.';
