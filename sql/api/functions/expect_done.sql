create or replace function public.expect_done(plan text default 'avatars', finalized boolean default false)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.expect_done(plan, finalized);
end
$$;
comment on function public.expect_done(text, boolean) is 'Imago: raises IM066, with the remedy, unless a plan is done. For the first line of the migration of the app that relies on it. Done is: everything moved and checked, nothing pending, set aside, held or in conflict; with finalized => true, finalized.';
