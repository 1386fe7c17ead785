create or replace function imago.expect_unreferenced(plan imago.plan, write imago.plan_write, keys anyarray)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  targets text;
  looks text;
  referring text;
begin
  -- Materialized: what refers is looked up once for each removed row, and there is hardly ever any. With statistics from before
  -- the migration the planner takes that for so cheap that it would do it for all of them again with each row of a join.
  select string_agg(
    case cardinality(p.columns)
      when 1 then format('when exists (select from %s r where r.%I = any (array(select k.%I from removed k))) then %1$L',
        p.relation, p.columns[1], p.target_columns[1])
      else format(
        'when exists (
           with referring as materialized (select r.* from %s r where r.%I = any (array(select k.%I from removed k)))
           select from referring r join removed k on %s) then %1$L',
        p.relation, p.columns[1], p.target_columns[1],
        (select string_agg(format('r.%I = k.%I', c, p.target_columns[n]), ' and ') from unnest(p.columns) with ordinality u(c, n)))
    end, ' ') into looks
  from imago.referencing_columns(plan.name, write.relation) p
  -- Of the others remove_rows hears when their foreign keys find a row.
  where (p.pointing).id is null or plan.stage <= 0 or not imago.is_nulled(p.relation, p.columns[1], write.relation);
  if looks is null then
    return;
  end if;
  select string_agg(distinct format('k.%I', t), ', ') into targets
  from imago.referencing_columns(plan.name, write.relation) p cross join unnest(p.target_columns) t;
  execute format(
    'with removed as materialized (
       select %s from imago_undo.%I j join %s k on %s where j.entity = any %s and j.op = ''i''
     )
     select case %s end',
    targets, write.undo_table, write.relation,
    imago.each_column('k.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '), imago.keys_sql(plan), looks)
  into referring using keys;
  if referring is not null then
    raise exception using errcode = '40IM1', message = 'an inserted row is referenced', table = referring;
  end if;
end
$$;
comment on function imago.expect_unreferenced(imago.plan, imago.plan_write, anyarray) is 'Raises 40IM1 when anything still refers to a row that was inserted for these entities. Their own rows are restored by then; declared columns that foreign keys null are not looked through.';
