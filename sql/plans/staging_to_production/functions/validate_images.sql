create or replace function staging_to_production.validate_images()
returns boolean
language sql
volatile
set search_path = ''
as $$
  select imago.validate_constraint('public."User"', 'User_imageId_fkey')
$$;
comment on function staging_to_production.validate_images() is 'Direct finalize step: the foreign key of "User"."imageId" is valid.';
