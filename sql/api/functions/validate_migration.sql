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
  perform imago.find_plan(plan);
  perform imago.expect_size(null, max_ms);
  if detailed is null or fix_issues is null or dry_run is null then
    perform imago.raise_error('IM004', case when detailed is null then 'detailed' when fix_issues is null then 'fix_issues' else 'dry_run' end);
  end if;
  return imago.validate(plan, detailed, fix_issues, max_ms, dry_run);
end
$$;
comment on function public.validate_migration(text, boolean, boolean, integer, boolean) is 'Imago: checks a migration before, during or after it, about max_ms milliseconds a call. Call until has_more is false. fix_issues mends what can be mended, through the journal; with dry_run it only says what that would write. detailed adds up to ten keys a check.';
