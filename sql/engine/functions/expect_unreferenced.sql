create or replace function imago.expect_unreferenced(plan imago.plan, write imago.plan_write, keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  reference record;
  referenced boolean;
begin
  for reference in select p.* from imago.pointing_columns(plan.name, write.relation) p loop
    -- Materialized: what refers is looked up once for each removed row, and there is hardly ever any. With statistics from before
    -- the migration the planner takes that for so cheap that it would do it for all of them again with each row of a join.
    execute format(
      'with referring as materialized (
         select r.* from %4$s r
         where r.%7$I = any (array(select k.%8$I from imago_undo.%1$I j join %2$s k on %9$s
                                   where j.entity = any ($1::%6$s[]) and j.op = ''i''))
       )
       select exists (
         select from imago_undo.%1$I j join %2$s t on %3$s join referring r on %5$s
         where j.entity = any ($1::%6$s[]) and j.op = ''i'')',
      write.undo_table, write.relation,
      imago.undo_list('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '),
      reference.relation,
      (select string_agg(format('r.%I = t.%I', c, reference.target_columns[n]), ' and ')
       from unnest(reference.columns) with ordinality u(c, n)),
      plan.key_type, reference.columns[1], reference.target_columns[1],
      imago.undo_list('k.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '))
    into referenced using keys;
    if referenced then
      raise exception using errcode = '40IM1', message = 'an inserted row is referenced', table = reference.relation;
    end if;
  end loop;
end
$$;
comment on function imago.expect_unreferenced(imago.plan, imago.plan_write, text[]) is 'Raises 40IM1 when anything still refers to a row that was inserted for these entities, their own rows being restored.';
