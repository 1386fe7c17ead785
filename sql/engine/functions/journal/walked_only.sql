create or replace function imago.walked_only(plan_name text)
returns table (stage integer, relation text, is_installed boolean)
language sql
stable
set search_path = ''
as $$
  select min(s.stage), s.source, exists (
    select from pg_catalog.pg_trigger t
    where t.tgrelid = pg_catalog.to_regclass(s.source)
      and t.tgfoid = pg_catalog.to_regprocedure(format('imago_undo.%I()', imago.walk_function(plan_name, min(s.stage)))))
  from imago.plan p cross join lateral imago.plan_stages(p) s
  where p.name = plan_name
    and not exists (select from imago.plan_write w where w.plan = plan_name and w.relation = s.source)
  group by s.source
  order by 1
$$;
comment on function imago.walked_only(text) is 'Tables that a plan walks and does not write, each with its first stage, and whether it has its trigger.';
