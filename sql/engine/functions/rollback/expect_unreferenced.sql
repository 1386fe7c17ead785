create or replace function imago.expect_unreferenced(plan imago.plan, write imago.plan_write, keys anyarray)
returns text[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  reference record;
  looks text[] := '{}';
  targets text[] := '{}';
  nulling text[] := '{}';
  referring text;
begin
  for reference in
    select p.*, (p.pointing).id is not null and imago.is_nulled(p.relation, p.columns[1], write.relation) as nulled
    from imago.referencing_columns(plan.name, write.relation) p
  loop
    if reference.nulled then
      nulling := nulling || reference.relation;
      -- Of these we hear when their foreign keys find a row.
      continue when plan.stage > 0;
    end if;
    -- Materialized: what refers is looked up once for each removed row, and there is hardly ever any. With statistics from before
    -- the migration the planner takes that for so cheap that it would do it for all of them again with each row of a join.
    looks := looks || case cardinality(reference.columns)
      when 1 then format('when exists (select from %s r where r.%I = any (array(select k.%I from removed k))) then %1$L',
        reference.relation, reference.columns[1], reference.target_columns[1])
      else format(
        'when exists (
           with referring as materialized (select r.* from %s r where r.%I = any (array(select k.%I from removed k)))
           select from referring r join removed k on %s) then %1$L',
        reference.relation, reference.columns[1], reference.target_columns[1],
        (select string_agg(format('r.%I = k.%I', c, reference.target_columns[n]), ' and ') from unnest(reference.columns) with ordinality u(c, n))) end;
    targets := targets || reference.target_columns;
  end loop;
  if looks <> '{}' then
    execute format(
      'with removed as materialized (
         select %s from imago_undo.%I j join %s k on %s where j.entity = any %s and j.op = ''i''
       )
       select case %s end',
      (select string_agg(distinct format('k.%I', t), ', ') from unnest(targets) t), write.undo_table, write.relation,
      imago.each_column('k.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '), imago.keys_sql(plan),
      array_to_string(looks, ' '))
    into referring using keys;
  end if;
  if referring is not null then
    raise exception using errcode = '40IM1', message = 'an inserted row is referenced', table = referring;
  end if;
  return nulling;
end
$$;
comment on function imago.expect_unreferenced(imago.plan, imago.plan_write, anyarray) is 'Raises 40IM1 when anything still refers to a row that was inserted for these entities. Their own rows are restored by then. Not looked through are declared columns that foreign keys null: returns their relations, for remove_rows hears of those.';
