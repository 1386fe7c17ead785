create or replace function public.expect_done(plan text default 'avatars', finalized boolean default false)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if finalized is null then
    perform imago.raise_error('IM004', 'finalized');
  end if;
  perform imago.expect_done(imago.find_plan(plan), finalized);
end
$$;
comment on function public.expect_done(text, boolean) is 'Imago: raises IM066, with the remedy, unless a plan is done. For the first line of the migration of the app that relies on it. Done is: everything moved and checked, nothing pending, set aside, held or in conflict; with finalized => true, finalized.';
