create or replace function public.get_migration_failures(plan text default 'avatars', keys integer default 10)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return imago.failure_groups(plan, keys);
end
$$;
comment on function public.get_migration_failures(text, integer) is 'Imago: who is set aside, grouped by reason, each group with so many keys. Keys and codes only. Changes nothing.';
