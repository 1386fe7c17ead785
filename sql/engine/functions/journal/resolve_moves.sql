create or replace function imago.resolve_moves(write imago.plan_write, names text[], moves jsonb)
returns jsonb
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
  owner constant text := coalesce(write.entity_column, write.key_columns[1]);
  record_type constant text := imago.record_type(write.plan, write.stage);
  key text := (select format('array[%s]', string_agg(format('m %%1$s ->> %s', array_position(names, c) - 1), ', ' order by n))
               from unnest(write.key_columns) with ordinality u(c, n));
  is_there text := format('exists (select from %s t where %s)', write.relation,
    imago.each_column('t.%2$I = %%1$s[%1$s]::%3$s', write.relation, write.key_columns, ' and '));
  -- What the plan calls it.
  declared text := (select w.relation from imago.plan_write w where w.id = write.id);
  result jsonb;
begin
  -- A foreign key of several rows' worth of cascades may have changed a row more than once. Where nothing is called by what it
  -- was given, it was given something else after that.
  execute format(
    'with recursive moved as materialized (
       select n, %1$s as old_key, %2$s as new_key, %3$s as old_entity, %6$s as new_entity
       from jsonb_array_elements($1) with ordinality x(m, n)
     ), walk as (
       select n, n as last, old_key, new_key, old_entity, new_entity from moved
       union all
       select w.n, m.n, w.old_key, m.new_key, w.old_entity, m.new_entity
       from walk w join moved m on m.old_key = w.new_key and m.n > w.last and m.new_key <> m.old_key
       where not %4$s
     ), ends as (
       select distinct on (w.n) w.* from walk w order by w.n, w.last desc
     ), own as (
       select e.*, count(*) over (partition by e.new_key) = 1 as is_certain, e.new_key = e.old_key or %5$s as is_there,
         array[coalesce(e.old_entity, $4), e.new_entity] || array(
           select s.entity from imago.stray_row s
           where s.plan = $2 and s.relation = $3 and s.row_key = e.old_key) as entities
       from ends e where e.n not in (select w.last from walk w where w.last <> w.n)
     )
     select coalesce(jsonb_agg(to_jsonb(o)), ''[]'') from own o',
    format(key, '-> 0'), format(key, '-> 1'), imago.moved_key(names, owner, record_type, 'm -> 0'), format(is_there, 'w.new_key'), format(is_there, 'e.new_key'),
    imago.moved_key(names, owner, record_type, 'm -> 1'))
  into result using moves, write.plan, declared, imago.nobody(write.undo_table);
  return result;
end
$$;
comment on function imago.resolve_moves(imago.plan_write, text[], jsonb) is 'For each row of a declared write whose identity has changed: its key and its entity before and after the statement. is_certain: no other row was given that key; is_there: it is in the table; entities: those that its journal may name.';
