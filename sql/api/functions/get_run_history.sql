create or replace function public.get_run_history(plan text default 'avatars', points integer default 200)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform imago.find_plan(plan);
  if points is null or points not between 1 and 10000 then
    perform imago.raise_error('IM015', 'points', coalesce(points::text, 'null'), '1 to 10000');
  end if;
  return imago.run_history(plan, points);
end
$$;
comment on function public.get_run_history(text, integer) is 'Imago: the runs of a plan over time: rate a minute, batch size and failures at no more than so many points each. Changes nothing.';
