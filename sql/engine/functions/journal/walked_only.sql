create or replace function imago.walked_only(plan_name text)
returns table (stage integer, relation text, is_installed boolean)
language sql
stable
set search_path = ''
as $$
  select o.stage, o.source, o.is_installed
  from (
    select min(s.stage) as stage, s.source, exists (
      select from pg_catalog.pg_trigger t
      where t.tgrelid = pg_catalog.to_regclass(s.source)
        and t.tgfoid = pg_catalog.to_regprocedure(format('imago_undo.%I()', imago.walk_function(plan_name, min(s.stage))))) as is_installed
    from imago.plan p cross join lateral imago.plan_stages(p) s
    where p.name = plan_name
      and not exists (select from imago.plan_write w where w.plan = plan_name and w.relation = s.source)
    group by s.source
  ) o
  where o.is_installed or imago.may_follow(o.source) is not false
  order by 1
$$;
comment on function imago.walked_only(text) is 'Tables that a plan walks and does not write, each with its first stage, and whether it has its trigger. Not those on which nobody lets us put one.';
