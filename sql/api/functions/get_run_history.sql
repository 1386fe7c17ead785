create or replace function public.get_run_history(plan text default 'avatars', points integer default 200)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return imago.run_history(plan, points);
end
$$;
comment on function public.get_run_history(text, integer) is 'Imago: the runs of a plan over time: rate a minute, batch size and failures at no more than so many points each. Changes nothing.';
