create or replace function imago.is_finalized(plan_name text)
returns boolean
language sql
stable
set search_path = ''
as $$
  select coalesce((select p.finalized_at is not null from imago.plan p where p.name = plan_name), false)
$$;
comment on function imago.is_finalized(text) is 'For plans: tells a clean-up step whether it comes after finalize, or after everything was taken back.

Example: select imago.is_finalized(''avatars'')';
