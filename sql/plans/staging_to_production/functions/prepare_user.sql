create or replace function staging_to_production.prepare_user()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not staging_to_production.has_column('public."User"', 'imageId') then
    alter table public."User" add column "imageId" text;
    perform imago.note_added('staging_to_production', 'public."User"', 'imageId');
  end if;
  if not staging_to_production.has_column('public."User"', 'enabled') then
    alter table public."User" add column enabled boolean not null default true;
  end if;
end
$$;
comment on function staging_to_production.prepare_user() is 'Prepare step: "User".enabled with a constant default, which rewrites nothing. And "imageId", where the app has no such column.';
