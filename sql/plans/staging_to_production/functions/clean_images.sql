create or replace function staging_to_production.clean_images()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  left_behind bigint;
begin
  if not imago.is_finalized('staging_to_production') or pg_catalog.to_regclass('public."UserImage"') is null then
    return null;
  end if;
  -- Who reads goes on meanwhile.
  lock table public."UserImage" in share row exclusive mode;
  select count(*) into left_behind from public."UserImage" u
  where u."uploadedAt" > (select p.closed_at at time zone 'UTC' from imago.plan p where p.name = 'staging_to_production')
    and not exists (select from public."Image" i where i.id = u.id);
  if left_behind > 0 then
    return jsonb_build_object('warnings', jsonb_build_array(format(
      '%s rows came into "UserImage" after finalize and are not in "Image": it stays', left_behind)));
  end if;
  -- "Image" is shown by way of "UserImage", as long as the app has not said otherwise.
  if exists (
    select from pg_catalog.pg_policy p
    where p.polrelid = 'public."Image"'::pg_catalog.regclass and p.polname = imago.source_policy()) then
    if (select c.relrowsecurity from pg_catalog.pg_class c where c.oid = 'public."UserImage"'::pg_catalog.regclass) then
      return jsonb_build_object('warnings', jsonb_build_array(format(
        'public."Image" is shown by way of "UserImage": it stays. Write policies of its own, then drop policy "%s" on it and clean up again',
        imago.source_policy())));
    end if;
    execute format('drop policy %I on public."Image"', imago.source_policy());
    alter table public."Image" disable row level security;
  end if;
  drop table public."UserImage";
  drop table if exists staging_to_production.kept_status;
  return '{"warnings": ["public.\"UserImage\" was moved to public.\"Image\": dropped"]}';
exception when dependent_objects_still_exist then
  return '{"warnings": ["public.\"UserImage\" is referred to: it stays"]}';
end
$$;
comment on function staging_to_production.clean_images() is 'Clean-up step after finalize: drops "UserImage", unless something was written to it since.';
