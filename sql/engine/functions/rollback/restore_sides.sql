create or replace function imago.restore_sides(plan imago.plan, batch bigint, sides jsonb)
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
  names text[];
  wanted text;
  same_row text;
  kept jsonb;
begin
  perform set_config('imago.batch', format('%s:%s:side', plan.name, batch), true);
  for write in
    select w.* from imago.plan_write w where w.plan = plan.name and sides ? w.relation order by w.position desc
  loop
    select array_agg(distinct k) into names
    from jsonb_array_elements(sides -> write.relation) s cross join lateral jsonb_object_keys(s -> 'columns') k;
    perform set_config('search_path', imago.app_search_path(), true);
    wanted := format(
      'select s ->> ''entity'' as entity, s -> ''columns'' as columns, s -> ''key'' as row_key, %s from jsonb_array_elements($1) s',
      imago.each_column('(s -> ''key'' ->> (%1$s - 1))::%3$s as key_%1$s', write.relation, write.key_columns));
    same_row := imago.each_column('t.%2$I = w.key_%1$s', write.relation, write.key_columns, ' and ');
    execute format(
      'update %1$s t set %2$s from (%3$s) w where %4$s',
      write.relation,
      (select string_agg(format('%1$I = case when w.columns ? %1$L then (w.columns ->> %1$L)::%2$s else t.%1$I end', c.name, c.type), ', ')
       from imago.journal_columns(write.relation, names) c),
      wanted, same_row)
    using sides -> write.relation;
    -- A later statement: it sees what triggers of the app have made of it.
    execute format(
      'select jsonb_agg(jsonb_build_object(''entity'', w.entity, ''relation'', %1$L, ''row_key'', (
         select string_agg(k, '','') from jsonb_array_elements_text(w.row_key) k)))
       from (%2$s) w join %1$s t on %3$s where not (%4$s)',
      write.relation, wanted, same_row,
      (select string_agg(format('(not w.columns ? %1$L or t.%1$I::text is not distinct from w.columns ->> %1$L)', c.name), ' and ')
       from imago.journal_columns(write.relation, names) c))
    into kept using sides -> write.relation;
    perform pg_catalog.set_config('search_path', '', true);
    exit when kept is not null;
  end loop;
  perform set_config('imago.batch', format('%s:%s:back', plan.name, batch), true);
  if kept is not null then
    perform imago.raise_kept(kept);
  end if;
end
$$;
comment on function imago.restore_sides(imago.plan, bigint, jsonb) is 'Puts undeclared columns back to what they were. It comes after all else, so that what triggers of the app do while rows go back is undone as well.';
