create or replace function imago.expect_not_finalized(plan_name text, direction text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
begin
  if plan.closed_at is not null then
    perform imago.raise_error('IM039', plan_name, case direction when 'rollback' then 'rolled back' else 'migrated' end,
      to_char(plan.closed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'));
  end if;
end
$$;
comment on function imago.expect_not_finalized(text, text) is 'Refuses to move entities, forward or back, once finalize has closed the way back (IM039).';
