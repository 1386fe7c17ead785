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
  kept jsonb;
begin
  perform set_config('imago.batch', format('%s:%s:side', plan.name, batch), true);
  for write in
    select w.* from imago.plan_write w where w.plan = plan.name and sides ? w.relation order by w.position desc
  loop
    select array_agg(distinct k) into names
    from jsonb_array_elements(sides -> write.relation) s cross join lateral jsonb_object_keys(s -> 'columns') k;
    perform set_config('search_path', imago.app_search_path(), true);
    execute format(
      'with wanted as (
         select s ->> ''entity'' as entity, s -> ''columns'' as columns, s -> ''key'' as row_key, %1$s
         from jsonb_array_elements($1) s
       ), done as (
         update %2$s t set %3$s from wanted w where %4$s returning w.entity, w.row_key, (%5$s) as is_back
       )
       select jsonb_agg(jsonb_build_object(''entity'', d.entity, ''relation'', %6$L, ''row_key'', (
           select string_agg(k, '','') from jsonb_array_elements_text(d.row_key) k))) from done d where not d.is_back',
      imago.each_column('(s -> ''key'' ->> (%1$s - 1))::%3$s as key_%1$s', write.relation, write.key_columns),
      write.relation,
      (select string_agg(format('%1$I = case when w.columns ? %1$L then (w.columns ->> %1$L)::%2$s else t.%1$I end', c.name, c.type), ', ')
       from imago.journal_columns(write.relation, names) c),
      imago.each_column('t.%2$I = w.key_%1$s', write.relation, write.key_columns, ' and '),
      (select string_agg(format('(not w.columns ? %1$L or t.%1$I::text is not distinct from w.columns ->> %1$L)', c.name), ' and ')
       from imago.journal_columns(write.relation, names) c),
      write.relation)
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
