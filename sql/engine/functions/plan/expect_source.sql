create or replace function imago.expect_source(plan imago.plan)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Once it is finalized, clean-up may have dropped it.
  if plan.closed_at is null and pg_catalog.to_regclass(plan.source) is null then
    perform imago.raise_error('IM006', plan.name, plan.source || ' table is missing');
  end if;
end
$$;
comment on function imago.expect_source(imago.plan) is 'Refuses to count what is not there (IM006).';
