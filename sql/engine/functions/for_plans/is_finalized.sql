create or replace function imago.is_finalized(plan_name text)
returns boolean
language sql
stable
set search_path = ''
as $$
  select coalesce((select p.finalized_at is not null from imago.plan p where p.name = plan_name), false)
$$;
comment on function imago.is_finalized(text) is 'For clean-up steps: whether they come after finalize, or after everything was taken back.';
