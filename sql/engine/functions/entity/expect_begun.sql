create or replace function imago.expect_begun(plan imago.plan)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if plan.stage > 1 and not exists (
    select from imago.lane l join imago.run r on r.id = l.run
    where r.plan = expect_begun.plan.name and r.direction = 'forward' and l.stage = expect_begun.plan.stage
      and not exists (select from imago.run b where b.plan = r.plan and b.direction = 'rollback' and b.id > r.id)) then
    perform imago.raise_error('IM052', plan.name, plan.stage::text);
  end if;
end
$$;
comment on function imago.expect_begun(imago.plan) is 'Refuses to move an entity of a stage that no run has come to since everything was taken back (IM052). It may need what the stages before it make.';
