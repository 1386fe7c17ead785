create or replace function imago.expect_not_held(plan imago.plan)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if imago.held_fields(plan) is not null then
    perform imago.raise_error('IM088', plan.name, imago.hold_reason(plan.name));
  end if;
end
$$;
comment on function imago.expect_not_held(imago.plan) is 'For calls that have no status of their own: refuses while the server''s health holds the runs of a plan (IM088).';
