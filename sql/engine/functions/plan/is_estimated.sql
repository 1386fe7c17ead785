create or replace function imago.is_estimated(plan imago.plan)
returns boolean
language sql
stable
set search_path = ''
as $$
  select imago.source_rows(plan) > 100000
$$;
comment on function imago.is_estimated(imago.plan) is 'Whether figures of a plan are estimated, because to count its entities would take too long for a look.';
