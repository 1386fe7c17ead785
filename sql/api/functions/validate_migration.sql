create or replace function public.validate_migration(
  plan text default 'avatars',
  detailed boolean default false,
  fix_issues boolean default false,
  max_ms integer default 5000,
  dry_run boolean default false
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.validate(plan, detailed, fix_issues, max_ms, dry_run);
end
$$;
comment on function public.validate_migration(text, boolean, boolean, integer, boolean) is 'Imago: checks a migration before, during or after it, about max_ms milliseconds a call. Call until has_more is false. fix_issues fixes what can be fixed, through the journal; with dry_run it only says what that would write. detailed adds up to ten keys a check.';
