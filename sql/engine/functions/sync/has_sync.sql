create or replace function imago.has_sync(plan text)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (select from imago.plan_sync s where s.plan = has_sync.plan and s.installed_at is not null)
$$;
comment on function imago.has_sync(text) is 'Whether triggers of this plan follow what the app writes.';
