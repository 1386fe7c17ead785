create or replace function staging_to_production.swap()
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  old_key text;
begin
  if not staging_to_production.has_column('public."Booking"', 'newStatus') then
    return;
  end if;
  drop view if exists staging_to_production.pending, staging_to_production.pending_2;
  alter table public."Booking" rename column status to "oldStatus";
  perform imago.forget_added('staging_to_production', 'public."Booking"', 'newStatus');
  alter table public."Booking" rename column "newStatus" to status;
  alter table public."Booking"
    alter column "oldStatus" drop not null,
    alter column "oldStatus" drop default,
    alter column status set default 'SCHEDULED',
    -- Not valid: holds for what is written from now on, and nothing is scanned under the lock.
    add constraint "Booking_status_set" check (status is not null) not valid;

  for old_key in
    select c.conname from pg_catalog.pg_constraint c
    join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = any (c.conkey)
    where c.contype = 'f' and c.conrelid = 'public."User"'::pg_catalog.regclass and a.attname = 'imageId'
  loop
    execute format('alter table public."User" drop constraint %I', old_key);
  end loop;
  alter table public."User" add constraint "User_imageId_fkey"
    foreign key ("imageId") references public."Image" (id) on delete set null on update cascade not valid;
  perform imago.forget_added('staging_to_production', 'public."User"', 'imageId');

  alter type public."Role" rename to "UserRole";
end
$$;
comment on function staging_to_production.swap() is 'Finalize step that swaps old for new and closes the way back. The new status becomes status, "User"."imageId" refers to "Image", and "Role" is "UserRole". Changes of the catalogue only, no row is read.';
