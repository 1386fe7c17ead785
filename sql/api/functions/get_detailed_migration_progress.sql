create or replace function public.get_detailed_migration_progress(plan text default 'avatars')
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return imago.progress(plan);
end
$$;
comment on function public.get_detailed_migration_progress(text) is 'Imago: state, phase, counts, percentage, rate a minute, remaining seconds and lanes. Changes nothing. total_is_estimate says when counts are estimates.';
