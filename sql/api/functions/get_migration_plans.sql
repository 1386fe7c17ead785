create or replace function public.get_migration_plans()
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return imago.plan_list();
end
$$;
comment on function public.get_migration_plans() is 'Imago: every plan with its phase, the state of its newest run, who is set aside, and how large its journal is.';
