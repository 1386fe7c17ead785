create or replace function imago.find_unreached(plan imago.plan)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  findings jsonb;
begin
  -- Others than small ones are looked through by the end of the run, which writes down what it has found.
  if plan.closed_at is not null or plan.prepared_at is null then
    findings := '[]';
  elsif (select coalesce(sum(imago.relation_bytes(s.source)), 0) from imago.plan_stages(plan) s) <= 131072 then
    select imago.unreachable_findings(array_agg(u.source), array_agg(u.entity)) into findings
    from imago.find_unreachable(plan, 1000) u;
  else
    select imago.unreachable_findings(array_agg(s.source), array_agg(f.entity)) into findings
    from (select * from imago.failure f where f.plan = find_unreached.plan.name and f.kind = 'unreachable' order by f.id limit 1000) f
    join imago.plan_stages(find_unreached.plan) s on s.stage = f.stage;
  end if;
  return findings;
end
$$;
comment on function imago.find_unreached(imago.plan) is 'What the view pending lists and the walked table does not have, as findings of a check. At most 1,000 of a stage.';
