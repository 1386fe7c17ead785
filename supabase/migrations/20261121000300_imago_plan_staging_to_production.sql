-- Built from sql/ by `npm run build:sql`. Change the sources, not this file.

set local check_function_bodies = off;

-- staging_to_production schema
select imago.create_plan(
  'staging_to_production', 'A Prisma app''s production database becomes what its staging is', 'public', 'UserImage', 'id',
  'image', 'images');

create sequence staging_to_production.placeholder_number as integer;
comment on sequence staging_to_production.placeholder_number is 'Numbers of placeholder rows, used negative: the app''s own are not.';

-- staging_to_production.apply
create or replace function staging_to_production.apply(keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('search_path', imago.app_search_path(), true);
  insert into public."Image" as i (id, url, "publicId", "uploadedAt")
  select u.id, u.url, u."publicId", u."uploadedAt" from public."UserImage" u where u.id = any (keys)
  on conflict (id) do update set url = excluded.url, "publicId" = excluded."publicId", "uploadedAt" = excluded."uploadedAt"
  where (i.url, i."publicId", i."uploadedAt") is distinct from (excluded.url, excluded."publicId", excluded."uploadedAt");
end
$$;
comment on function staging_to_production.apply(text[]) is 'Moves exactly these images to "Image", with the same ids.';

-- staging_to_production.apply_2
create or replace function staging_to_production.apply_2(keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('search_path', imago.app_search_path(), true);
  execute format(
    'update public."Booking" b set "newStatus" = (%1$s)::public."BookingStatus"
     where b.id = any ($1) and b."newStatus"::text is distinct from %1$s',
    staging_to_production.status_rule('b.status')) using keys;
end
$$;
comment on function staging_to_production.apply_2(text[]) is 'Sets the new status of exactly these bookings.';

-- staging_to_production.booking_references
create or replace function staging_to_production.booking_references()
returns table (name text, target text, fix text)
language sql
immutable
set search_path = ''
as $$
  values ('customerId', 'Customer', 'fix_customers'), ('serviceId', 'ServiceToJobType', 'fix_services'),
    ('technicianId', 'Technician', 'fix_technicians')
$$;
comment on function staging_to_production.booking_references() is 'The columns of "Booking" that are to refer to new tables, and what makes the placeholders.';

-- staging_to_production.check_query
create or replace function staging_to_production.check_query(name text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return case check_query.name
    when 'images_that_differ' then case when pg_catalog.to_regclass('staging_to_production.pending') is not null then
      'select p.entity as key, p.entity from staging_to_production.pending p' end
    when 'bookings_that_differ' then case when pg_catalog.to_regclass('staging_to_production.pending_2') is not null then
      'select p.entity as key, p.entity from staging_to_production.pending_2 p' end
    when 'users_of_unknown_images' then
      case when pg_catalog.to_regclass('public."Image"') is not null and staging_to_production.has_column('public."User"', 'imageId') then
        'select u.id as key, null::text as entity from public."User" u
         where u."imageId" is not null and not exists (select from public."Image" i where i.id = u."imageId")' end
    else (
      select format('select d.id as key, d.id as entity from (%s) d', staging_to_production.dangling_query(r.name, r.target))
      from staging_to_production.booking_references() r
      where check_query.name = 'bookings_without_' || left(r.name, -2) and pg_catalog.to_regclass(format('public.%I', r.target)) is not null)
  end;
end
$$;
comment on function staging_to_production.check_query(text) is 'SQL that lists what a check of this plan finds: key and entity. Null before the plan is prepared, and for what finalize has made one.';

-- staging_to_production.clean_columns
create or replace function staging_to_production.clean_columns()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  said jsonb := '[]';
begin
  if imago.is_finalized('staging_to_production') then
    return null;
  end if;
  -- They read these columns and tables; the next prepare makes them again.
  drop view if exists staging_to_production.pending, staging_to_production.pending_2;
  said := coalesce(imago.drop_empty_column('staging_to_production', 'public."Booking"', 'newStatus') -> 'warnings', '[]')
    || coalesce(imago.drop_empty_column('staging_to_production', 'public."User"', 'imageId') -> 'warnings', '[]');
  return jsonb_build_object('warnings', said);
end
$$;
comment on function staging_to_production.clean_columns() is 'Clean-up step after a rollback: drops the empty columns that prepare added.';

-- staging_to_production.clean_images
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

-- staging_to_production.clean_tables
create or replace function staging_to_production.clean_tables()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  added record;
  said jsonb := '[]';
begin
  if imago.is_finalized('staging_to_production') then
    return null;
  end if;
  for added in select t.name from staging_to_production.new_tables() t order by t.number desc loop
    said := said || coalesce(imago.drop_empty_table('staging_to_production', format('public.%I', added.name)) -> 'warnings', '[]');
  end loop;
  return jsonb_build_object('warnings', said);
end
$$;
comment on function staging_to_production.clean_tables() is 'Clean-up step after a rollback: drops the new tables that are empty.';

-- staging_to_production.clean_types
create or replace function staging_to_production.clean_types()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  added text;
  said jsonb := '[]';
begin
  if imago.is_finalized('staging_to_production') then
    return null;
  end if;
  for added in
    select t.name from staging_to_production.new_types() t
    where imago.is_added('staging_to_production', format('public.%I', t.name))
  loop
    begin
      perform imago.forget_added('staging_to_production', format('public.%I', added));
      execute format('drop type public.%I', added);
    exception when dependent_objects_still_exist then
      said := said || jsonb_build_array(format('type public.%I is used: it stays', added));
    end;
  end loop;
  return jsonb_build_object('warnings', said);
end
$$;
comment on function staging_to_production.clean_types() is 'Clean-up step after a rollback: drops the new enums that nothing uses.';

-- staging_to_production.clear_comments
create or replace function staging_to_production.clear_comments()
returns void
language sql
volatile
set search_path = ''
as $$
  select imago.forget_added('staging_to_production', format('public.%I', added.name))
  from (select name from staging_to_production.new_tables() union all select name from staging_to_production.new_types()) added
$$;
comment on function staging_to_production.clear_comments() is 'Finalize step: the new tables and types are the app''s own now; the comments that they got from Imago go.';

-- staging_to_production.dangling_query
create or replace function staging_to_production.dangling_query(name text, target text)
returns text
language sql
stable
set search_path = ''
as $$
  select format('select b.id from public."Booking" b where b.%I is not null', name)
    || case when pg_catalog.to_regclass(format('public.%I', target)) is null then ''
      else format(' and not exists (select from public.%I t where t.id = b.%I)', target, name) end
$$;
comment on function staging_to_production.dangling_query(text, text) is 'SQL: the bookings whose reference points nowhere; as long as there is no such table, all that have one.';

-- staging_to_production.drop_status
create or replace function staging_to_production.drop_status()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  alter table public."Booking" drop column if exists "oldStatus";
end
$$;
comment on function staging_to_production.drop_status() is 'Finalize step: drops the text column; nothing is rewritten.';

-- staging_to_production.fill_status
create or replace function staging_to_production.fill_status(keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('search_path', imago.app_search_path(), true);
  if staging_to_production.has_column('public."Booking"', 'oldStatus') then
    execute format(
      'update public."Booking" b set status = (%s)::public."BookingStatus" where b.id = any ($1) and b.status is null',
      staging_to_production.status_rule('b."oldStatus"'))
    using keys;
  end if;
end
$$;
comment on function staging_to_production.fill_status(text[]) is 'Finalize step that walks: a booking that came between the checks and the swap, and whose sync failed, gets its status.';

-- staging_to_production.fix_customers
create or replace function staging_to_production.fix_customers(keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('search_path', imago.app_search_path(), true);
  with missing as (
    select distinct b."customerId" as id from public."Booking" b
    where b.id = any (keys) and b."customerId" is not null
      and not exists (select from public."Customer" c where c.id = b."customerId")
  ), numbers as (
    insert into public."PhoneNumber" (id, "countryCode", number)
    select 'placeholder_' || m.id, 'placeholder', m.id from missing m
    on conflict do nothing
  )
  insert into public."Customer" (id, "customerId", name, type, "phoneNumberId")
  select m.id, -nextval('staging_to_production.placeholder_number'), 'Placeholder', 'RESIDENTIAL', 'placeholder_' || m.id from missing m
  on conflict (id) do nothing;
end
$$;
comment on function staging_to_production.fix_customers(text[]) is 'Fix: a placeholder for each missing customer that these bookings name, with a placeholder for their phone number.';

-- staging_to_production.fix_services
create or replace function staging_to_production.fix_services(keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('search_path', imago.app_search_path(), true);
  insert into public."ServiceToJobType" (id, "displayName", "serviceTitanId", "serviceTitanName", emoji, icon, description, enabled)
  select distinct b."serviceId", 'Placeholder', 0, 'Placeholder', '', '', 'Placeholder', false
  from public."Booking" b
  where b.id = any (keys) and b."serviceId" is not null
    and not exists (select from public."ServiceToJobType" s where s.id = b."serviceId")
  on conflict (id) do nothing;
end
$$;
comment on function staging_to_production.fix_services(text[]) is 'Fix: a placeholder, not enabled, for each service that these bookings name and that is not there.';

-- staging_to_production.fix_technicians
create or replace function staging_to_production.fix_technicians(keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('search_path', imago.app_search_path(), true);
  insert into public."Technician" (id, "technicianId", "technicianName", enabled)
  select m.id, -nextval('staging_to_production.placeholder_number'), 'Placeholder', false
  from (
    select distinct b."technicianId" as id from public."Booking" b
    where b.id = any (keys) and b."technicianId" is not null
      and not exists (select from public."Technician" t where t.id = b."technicianId")
  ) m
  on conflict (id) do nothing;
end
$$;
comment on function staging_to_production.fix_technicians(text[]) is 'Fix: a placeholder, not enabled, for each technician that these bookings name and that is not there.';

-- staging_to_production.guess_references
create or replace function staging_to_production.guess_references(name text, target text)
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
declare
  amount bigint;
  keys text[];
begin
  if pg_catalog.to_regclass(format('public.%I', target)) is not null then
    return query select 'warning', 'dangling_references', format('public."Booking".%I', name), 'bookings that point nowhere are not counted here, the table is large',
      'Once the plan is prepared and has run, validate_migration counts them piece by piece.';
    return;
  end if;
  -- As long as there is no such table, all that name one point nowhere.
  execute format('select array_agg(id) from (select b.id from public."Booking" b where b.%I is not null limit 3) b', name) into keys;
  if keys is null then
    return;
  end if;
  amount := imago.estimated_rows('public."Booking"') * coalesce((
    select 1 - s.null_frac from pg_catalog.pg_stats s
    where s.schemaname = 'public' and s.tablename = 'Booking' and s.attname = guess_references.name), 1);
  return query select 'warning', 'dangling_references', format('public."Booking".%I', name),
    format('about %s bookings point at no row of "%s", which is not there yet', amount, target) || imago.sample_keys_text(keys, amount),
    'Bring these rows into the new table, or have validate_migration with fix_issues make placeholders after the run; it counts them, too.';
end
$$;
comment on function staging_to_production.guess_references(text, text) is 'What look_at_references says of one reference on a table that is too large to count: an estimate, with keys of some.';

-- staging_to_production.has_column
create or replace function staging_to_production.has_column(relation text, name text)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select from pg_catalog.pg_attribute a
    where a.attrelid = pg_catalog.to_regclass(relation) and a.attname = name and a.attnum > 0 and not a.attisdropped)
$$;
comment on function staging_to_production.has_column(text, text) is 'Whether the relation is there and has this column.';

-- staging_to_production.index_booking
create or replace function staging_to_production.index_booking()
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- What a concurrent build that failed has left behind is in the way of the next.
  if exists (select from pg_catalog.pg_index i where i.indexrelid = pg_catalog.to_regclass('public."Booking_scheduledFor_idx"') and not i.indisvalid) then
    drop index public."Booking_scheduledFor_idx";
  end if;
  if pg_catalog.to_regclass('public."Booking_scheduledFor_idx"') is null and imago.may_hold('public."Booking"') then
    create index "Booking_scheduledFor_idx" on public."Booking" ("scheduledFor");
  end if;
  return pg_catalog.to_regclass('public."Booking_scheduledFor_idx"') is not null;
end
$$;
comment on function staging_to_production.index_booking() is 'Direct prepare step: the index on "Booking"."scheduledFor". It is built here where writers do not wait for it, or not long.';

-- staging_to_production.keep_statuses
create or replace function staging_to_production.keep_statuses(keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if staging_to_production.has_column('public."Booking"', 'oldStatus') then
    execute format(
      'insert into staging_to_production.kept_status (id, status)
       select b.id, b."oldStatus" from public."Booking" b
       where b.id = any ($1) and %s = ''SCHEDULED'' and upper(b."oldStatus") <> ''SCHEDULED''
       on conflict (id) do nothing',
      staging_to_production.status_rule('b."oldStatus"'))
    using keys;
  end if;
end
$$;
comment on function staging_to_production.keep_statuses(text[]) is 'Finalize step that walks: keeps aside what could not be told by the new status, until clean-up.';

-- staging_to_production.key_customers
create or replace function staging_to_production.key_customers()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not exists (select from pg_catalog.pg_constraint c where c.conrelid = 'public."Booking"'::pg_catalog.regclass and c.conname = 'Booking_customerId_fkey') then
    alter table public."Booking" add constraint "Booking_customerId_fkey"
      foreign key ("customerId") references public."Customer" (id) on delete restrict on update cascade not valid;
  end if;
end
$$;
comment on function staging_to_production.key_customers() is 'Finalize step: the foreign key of "Booking"."customerId", not valid yet.';

-- staging_to_production.key_services
create or replace function staging_to_production.key_services()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not exists (select from pg_catalog.pg_constraint c where c.conrelid = 'public."Booking"'::pg_catalog.regclass and c.conname = 'Booking_serviceId_fkey') then
    alter table public."Booking" add constraint "Booking_serviceId_fkey"
      foreign key ("serviceId") references public."ServiceToJobType" (id) on delete restrict on update cascade not valid;
  end if;
end
$$;
comment on function staging_to_production.key_services() is 'Finalize step: the foreign key of "Booking"."serviceId", not valid yet.';

-- staging_to_production.key_technicians
create or replace function staging_to_production.key_technicians()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not exists (select from pg_catalog.pg_constraint c where c.conrelid = 'public."Booking"'::pg_catalog.regclass and c.conname = 'Booking_technicianId_fkey') then
    alter table public."Booking" add constraint "Booking_technicianId_fkey"
      foreign key ("technicianId") references public."Technician" (id) on delete restrict on update cascade not valid;
  end if;
end
$$;
comment on function staging_to_production.key_technicians() is 'Finalize step: the foreign key of "Booking"."technicianId", not valid yet.';

-- staging_to_production.look_at_references
create or replace function staging_to_production.look_at_references()
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
declare
  reference record;
  amount bigint;
  keys text[];
begin
  for reference in select r.* from staging_to_production.booking_references() r loop
    if imago.is_large('public."Booking"') then
      return query select * from staging_to_production.guess_references(reference.name, reference.target);
      continue;
    end if;
    execute format('select count(*), (array_agg(id order by id))[1:3] from (%s) d',
      staging_to_production.dangling_query(reference.name, reference.target)) into amount, keys;
    if amount > 0 then
      return query select 'warning', 'dangling_references', format('public."Booking".%I', reference.name),
        format('%s bookings point at no row of "%s"', amount, reference.target) || imago.sample_keys_text(keys, amount),
        'Bring these rows into the new table, or have validate_migration with fix_issues make placeholders after the run. Finalize refuses until then.';
    end if;
  end loop;
end
$$;
comment on function staging_to_production.look_at_references() is 'For each of the three references how many bookings point nowhere, with keys of some.';

-- staging_to_production.look_at_statuses
create or replace function staging_to_production.look_at_statuses(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'findings', coalesce(jsonb_agg(jsonb_build_object(
      'object', 'public."Booking".status', 'message', format('%s bookings hold ''%s'', which is no status', v.bookings, v.value),
      'hint', 'They become SCHEDULED. Change them before, if that is not what they mean.')) filter (where v.lost), '[]'),
    'facts', coalesce(jsonb_object_agg(v.value, v.bookings), '{}'))
  from (
    select s.*, s.becomes = 'SCHEDULED' and upper(s.value) <> 'SCHEDULED' as lost from staging_to_production.status_values() s
  ) v
$$;
comment on function staging_to_production.look_at_statuses(imago.plan) is 'Check: statuses that are none and become SCHEDULED, value by value. Facts count all values.';

-- staging_to_production.make_kept_status
create or replace function staging_to_production.make_kept_status()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  create table if not exists staging_to_production.kept_status (id text primary key, status text);
  perform imago.close_table('staging_to_production.kept_status');
  comment on table staging_to_production.kept_status is 'Bookings whose status was none and became SCHEDULED, with what it was. Clean-up drops it.';
end
$$;
comment on function staging_to_production.make_kept_status() is 'Finalize step: the table for statuses that were none.';

-- staging_to_production.new_tables
create or replace function staging_to_production.new_tables()
returns table (number integer, name text, definition text, unique_keys text[])
language sql
immutable
set search_path = ''
as $$
  select row_number() over ()::integer, t.*
  from (values
    ('Image', '
      id text not null constraint "Image_pkey" primary key,
      url text not null,
      "publicId" text not null,
      "uploadedAt" timestamp(3) not null default current_timestamp', '{}'::text[]),
    ('EmailAddress', '
      id text not null constraint "EmailAddress_pkey" primary key,
      address text not null', '{address}'),
    ('PhoneNumber', '
      id text not null constraint "PhoneNumber_pkey" primary key,
      "countryCode" text not null,
      number text not null', '{countryCode,number}'),
    ('Skill', '
      id text not null constraint "Skill_pkey" primary key,
      name text not null', '{name}'),
    ('ServiceToJobType', '
      id text not null constraint "ServiceToJobType_pkey" primary key,
      "displayName" text not null,
      "serviceTitanId" integer not null,
      "serviceTitanName" text not null,
      emoji text not null,
      icon text not null,
      description text not null,
      enabled boolean not null default true', '{}'),
    ('Technician', '
      id text not null constraint "Technician_pkey" primary key,
      "technicianId" integer not null,
      "technicianName" text not null,
      enabled boolean not null default true,
      "imageId" text constraint "Technician_imageId_fkey" references public."Image" (id) on delete set null on update cascade,
      status public."TechnicianStatus" not null default ''AWAITING_JOB''', '{technicianId}'),
    ('Customer', '
      id text not null constraint "Customer_pkey" primary key,
      "customerId" integer not null,
      name text not null,
      type public."CustomerType" not null,
      "emailAddressId" text
        constraint "Customer_emailAddressId_fkey" references public."EmailAddress" (id) on delete set null on update cascade,
      "phoneNumberId" text not null
        constraint "Customer_phoneNumberId_fkey" references public."PhoneNumber" (id) on delete restrict on update cascade,
      "imageId" text constraint "Customer_imageId_fkey" references public."Image" (id) on delete set null on update cascade',
      '{customerId}'),
    ('ServiceToJobTypeSkill', '
      "serviceToJobTypeId" text not null constraint "ServiceToJobTypeSkill_serviceToJobTypeId_fkey"
        references public."ServiceToJobType" (id) on delete restrict on update cascade,
      "skillId" text not null
        constraint "ServiceToJobTypeSkill_skillId_fkey" references public."Skill" (id) on delete restrict on update cascade,
      constraint "ServiceToJobTypeSkill_pkey" primary key ("serviceToJobTypeId", "skillId")', '{}'),
    ('TechnicianSkill', '
      "technicianId" text not null
        constraint "TechnicianSkill_technicianId_fkey" references public."Technician" (id) on delete restrict on update cascade,
      "skillId" text not null
        constraint "TechnicianSkill_skillId_fkey" references public."Skill" (id) on delete restrict on update cascade,
      constraint "TechnicianSkill_pkey" primary key ("technicianId", "skillId")', '{}')
  ) t(name, definition, unique_keys)
$$;
comment on function staging_to_production.new_tables() is 'The tables that staging has and production has not, in the order in which they can be made. They are as Prisma makes and names them. unique_keys: columns of the one unique index.';

-- staging_to_production.new_types
create or replace function staging_to_production.new_types()
returns table (name text, labels text[])
language sql
immutable
set search_path = ''
as $$
  values
    ('TechnicianStatus', array['ON_JOB', 'ON_ROUTE', 'FINISHED_JOB', 'AWAITING_JOB']),
    ('CustomerType', array['RESIDENTIAL', 'COMMERCIAL']),
    ('BookingStatus', array['PENDING', 'SCHEDULED', 'CANCELED', 'COMPLETED'])
$$;
comment on function staging_to_production.new_types() is 'The enums that staging has and production has not.';

-- staging_to_production.populate
create or replace function staging_to_production.populate(keys text[])
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  reference record;
  late text[];
  warnings text[] := '{}';
begin
  for reference in select r.* from staging_to_production.booking_references() r loop
    execute format('select array_agg(d.id order by d.id) from (%s) d where d.id = any ($1)',
      staging_to_production.dangling_query(reference.name, reference.target))
    into late using keys;
    continue when late is null;
    execute format('select staging_to_production.%I($1)', reference.fix) using late;
    warnings := warnings || (format('%s bookings came while finalize began, with a "%s" that is not there', cardinality(late), reference.name)
      || imago.sample_keys_text(late, cardinality(late)) || ': placeholders made');
  end loop;
  return jsonb_build_object('warnings', warnings);
end
$$;
comment on function staging_to_production.populate(text[]) is 'Finalize step that walks: references that came between the checks and the keys get their placeholders, too. So the keys can be validated.';

-- staging_to_production.preflight
create or replace function staging_to_production.preflight()
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
declare
  texts constant text[] := '{text,"character varying"}';
  lost bigint;
  finalized boolean := imago.is_finalized('staging_to_production');
begin
  return query select * from imago.relation_problems('public."User"');
  return query select p.* from unnest(array['public."User"', 'public."Booking"', 'public."UserImage"']) t
    cross join lateral imago.partition_problems(t, 'Indexes are built concurrently here and foreign keys added not valid, neither of which a partitioned table can have.') p;
  return query
    select c.*
    from (values ('public."UserImage"', 'url'), ('public."UserImage"', 'publicId'), ('public."User"', 'id'),
                 ('public."Booking"', 'customerId'), ('public."Booking"', 'serviceId'), ('public."Booking"', 'technicianId')) v(relation, name)
    cross join lateral imago.column_problems(v.relation, v.name, texts) c;
  return query select * from imago.column_problems('public."UserImage"', 'uploadedAt', '{"timestamp without time zone"}');
  return query select * from imago.column_problems('public."Booking"', 'scheduledFor', '{"timestamp without time zone"}');
  if not finalized then
    return query select * from imago.column_problems('public."Booking"', 'status', texts);
  end if;
  if staging_to_production.has_column('public."User"', 'imageId') then
    return query select * from imago.column_problems('public."User"', 'imageId', texts);
  end if;
  if pg_catalog.to_regtype('public."Role"') is null and not finalized then
    return query select 'error', 'missing_type', 'type public."Role"', 'is missing', 'The plan renames it to "UserRole".';
  end if;
  if pg_catalog.to_regtype('public."UserRole"') is not null and not finalized then
    return query select 'error', 'taken_name', 'type public."UserRole"', 'is there already', 'The plan renames "Role" to it. Drop or rename the one that is not used.';
  end if;
  -- Tables of these names that the app has made itself have to fit what is written to them.
  return query
    select c.*
    from (values ('Image', 'id'), ('Image', 'url'), ('Image', 'publicId'), ('Customer', 'id'), ('Customer', 'name'), ('Customer', 'phoneNumberId'),
                 ('PhoneNumber', 'id'), ('PhoneNumber', 'countryCode'), ('PhoneNumber', 'number'), ('Technician', 'id'), ('Technician', 'technicianName'),
                 ('ServiceToJobType', 'id'), ('ServiceToJobType', 'displayName')) v(name, column_name)
    cross join lateral imago.column_problems(format('public.%I', v.name), v.column_name, texts) c
    where pg_catalog.to_regclass(format('public.%I', v.name)) is not null;
  if not finalized then
    return query
      select v.* from staging_to_production.sources() s
      cross join lateral imago.visibility('staging_to_production', s.relation, s.source, s.link, s.origins) v
      where pg_catalog.to_regclass(s.source) is not null;
  end if;
  if pg_catalog.to_regclass('public."Booking"') is null or finalized
     or exists (select from imago.column_problems('public."Booking"', 'status', texts)) then
    return;
  end if;
  if not imago.is_large('public."Booking"') then
    select sum(v.bookings) into lost
    from staging_to_production.status_values() v where v.becomes = 'SCHEDULED' and upper(v.value) <> 'SCHEDULED';
    if lost > 0 then
      return query select 'warning', 'lost_values', 'public."Booking".status', format('%s bookings hold no known status and become SCHEDULED', lost),
        'select get_migration_statistics(''staging_to_production'') counts them value by value.';
    end if;
  end if;
  return query
    select l.* from staging_to_production.look_at_references() l
    where not exists (select from staging_to_production.booking_references() r
                      where not staging_to_production.has_column('public."Booking"', r.name));
end
$$;
comment on function staging_to_production.preflight() is 'What speaks against starting the plan on this app, statuses that will be lost, and references that point nowhere.';

-- staging_to_production.prepare_booking
create or replace function staging_to_production.prepare_booking()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not staging_to_production.has_column('public."Booking"', 'newStatus') then
    alter table public."Booking" add column "newStatus" public."BookingStatus";
    perform imago.note_added('staging_to_production', 'public."Booking"', 'newStatus');
  end if;
end
$$;
comment on function staging_to_production.prepare_booking() is 'Prepare step: "Booking"."newStatus", which finalize swaps for status.';

-- staging_to_production.prepare_tables
create or replace function staging_to_production.prepare_tables()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  missing record;
begin
  select t.* into missing
  from staging_to_production.new_tables() t
  where pg_catalog.to_regclass(format('public.%I', t.name)) is null
  order by t.number
  limit 1;
  if not found then
    return '{"has_more": false}';
  end if;
  execute format('create table public.%I (%s)', missing.name, missing.definition);
  perform imago.note_added('staging_to_production', format('public.%I', missing.name));
  if missing.unique_keys <> '{}' then
    execute format('create unique index %I on public.%I (%s)',
      format('%s_%s_key', missing.name, array_to_string(missing.unique_keys, '_')), missing.name,
      (select string_agg(quote_ident(k), ', ') from unnest(missing.unique_keys) k));
  end if;
  perform imago.show_as(s.relation, s.source, s.link, s.origins)
  from staging_to_production.sources() s where s.relation = format('public.%I', missing.name);
  return '{"has_more": true}';
end
$$;
comment on function staging_to_production.prepare_tables() is 'Prepare step: creates the next of the new tables that is missing, one a call. Each is as visible as where its rows come from.';

-- staging_to_production.prepare_types
create or replace function staging_to_production.prepare_types()
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  missing record;
begin
  for missing in
    select t.* from staging_to_production.new_types() t where pg_catalog.to_regtype(format('public.%I', t.name)) is null
  loop
    execute format('create type public.%I as enum (%s)', missing.name, (select string_agg(quote_literal(l), ', ') from unnest(missing.labels) l));
    perform imago.note_added('staging_to_production', format('public.%I', missing.name));
  end loop;
end
$$;
comment on function staging_to_production.prepare_types() is 'Prepare step: the new enums. "Role" keeps its name until finalize: no second name would compare with it.';

-- staging_to_production.prepare_user
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

-- staging_to_production.prepare_views
create or replace function staging_to_production.prepare_views()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  create or replace view staging_to_production.pending as
    select u.id as entity
    from public."UserImage" u
    left join public."Image" i on i.id = u.id
    where i.id is null or (i.url, i."publicId", i."uploadedAt") is distinct from (u.url, u."publicId", u."uploadedAt");
  comment on view staging_to_production.pending is 'Images that are not in "Image" yet, or differ there.';
  execute format(
    'create or replace view staging_to_production.pending_2 as
       select b.id as entity from public."Booking" b where b."newStatus"::text is distinct from %s',
    staging_to_production.status_rule('b.status'));
  comment on view staging_to_production.pending_2 is 'Bookings whose new status is not set yet, or is not what the old one means.';
end
$$;
comment on function staging_to_production.prepare_views() is 'Prepare step: the views pending (images) and pending_2 (bookings).';

-- staging_to_production.require_status
create or replace function staging_to_production.require_status()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- The valid check says that there is no null: nothing is scanned.
  alter table public."Booking" alter column status set not null;
  alter table public."Booking" drop constraint if exists "Booking_status_set";
end
$$;
comment on function staging_to_production.require_status() is 'Finalize step: status is not null.';

-- staging_to_production.sources
create or replace function staging_to_production.sources()
returns table (relation text, source text, link jsonb, origins jsonb)
language sql
immutable
set search_path = ''
as $$
  select format('public.%I', t.name),
    case t.name when 'Image' then 'public."UserImage"' else 'public."Booking"' end,
    -- What the bookings name belongs to many of them: it is for who reads them all.
    case t.name when 'Image' then '{"id": "id"}' else '{}' end::jsonb,
    case t.name when 'Image' then '{"id": ["id"], "url": ["url"], "publicId": ["publicId"], "uploadedAt": ["uploadedAt"]}' else '{}' end::jsonb
  from staging_to_production.new_tables() t
$$;
comment on function staging_to_production.sources() is 'The new tables, each with the table that it is as visible as. "Image" row by row as "UserImage", the others to those who read all of "Booking".';

-- staging_to_production.statistics
create or replace function staging_to_production.statistics()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  images bigint := 0;
  reference record;
  amount bigint;
  nowhere jsonb := '{}';
begin
  if pg_catalog.to_regclass('public."Image"') is not null then
    select count(*) into images from public."Image";
  end if;
  for reference in select r.* from staging_to_production.booking_references() r
                   where staging_to_production.has_column('public."Booking"', r.name) loop
    execute format('select count(*) from (%s) d', staging_to_production.dangling_query(reference.name, reference.target)) into amount;
    nowhere := nowhere || jsonb_build_object(reference.name, amount);
  end loop;
  return jsonb_build_object(
    'images', images, 'bookings_pointing_nowhere', nowhere,
    'booking_statuses', (
      select coalesce(jsonb_agg(jsonb_build_object('value', v.value, 'becomes', v.becomes, 'bookings', v.bookings)), '[]')
      from staging_to_production.status_values() v));
end
$$;
comment on function staging_to_production.statistics() is 'What get_migration_statistics adds for this plan: images, bookings that point nowhere, and bookings by status. Bookings that point nowhere are counted by reference, those by status for each value.';

-- staging_to_production.status_rule
create or replace function staging_to_production.status_rule(expression text)
returns text
language sql
immutable
set search_path = ''
as $$
  select format(
    'case upper(%s) when ''PENDING'' then ''PENDING'' when ''CANCELED'' then ''CANCELED'' when ''CANCELLED'' then ''CANCELED''
       when ''COMPLETED'' then ''COMPLETED'' else ''SCHEDULED'' end', expression)
$$;
comment on function staging_to_production.status_rule(text) is 'SQL: the label of "BookingStatus" that a status becomes; null and what is no status become SCHEDULED. Written into queries, for a function called for each row would take most of their time.';

-- staging_to_production.status_values
create or replace function staging_to_production.status_values()
returns table (value text, becomes text, bookings bigint)
language plpgsql
stable
set search_path = ''
as $$
declare
  source text := case when staging_to_production.has_column('public."Booking"', 'oldStatus') then 'oldStatus' else 'status' end;
begin
  if not staging_to_production.has_column('public."Booking"', source) then
    return;
  end if;
  return query execute format(
    'select coalesce(left(b.%1$I::text, 60), ''(null)''), %2$s, count(*) from public."Booking" b group by 1, 2 order by 3 desc, 1 limit 100',
    source, staging_to_production.status_rule(format('b.%I::text', source)));
end
$$;
comment on function staging_to_production.status_values() is 'How many bookings hold which status, and what it becomes; at most 100 values.';

-- staging_to_production.swap
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

-- staging_to_production.validate_customers
create or replace function staging_to_production.validate_customers()
returns boolean
language sql
volatile
set search_path = ''
as $$
  select imago.validate_constraint('public."Booking"', 'Booking_customerId_fkey')
$$;
comment on function staging_to_production.validate_customers() is 'Direct finalize step: the foreign key of "Booking"."customerId" is valid.';

-- staging_to_production.validate_images
create or replace function staging_to_production.validate_images()
returns boolean
language sql
volatile
set search_path = ''
as $$
  select imago.validate_constraint('public."User"', 'User_imageId_fkey')
$$;
comment on function staging_to_production.validate_images() is 'Direct finalize step: the foreign key of "User"."imageId" is valid.';

-- staging_to_production.validate_services
create or replace function staging_to_production.validate_services()
returns boolean
language sql
volatile
set search_path = ''
as $$
  select imago.validate_constraint('public."Booking"', 'Booking_serviceId_fkey')
$$;
comment on function staging_to_production.validate_services() is 'Direct finalize step: the foreign key of "Booking"."serviceId" is valid.';

-- staging_to_production.validate_status
create or replace function staging_to_production.validate_status()
returns boolean
language sql
volatile
set search_path = ''
as $$
  select imago.validate_constraint('public."Booking"', 'Booking_status_set')
$$;
comment on function staging_to_production.validate_status() is 'Direct finalize step: every booking has a status.';

-- staging_to_production.validate_technicians
create or replace function staging_to_production.validate_technicians()
returns boolean
language sql
volatile
set search_path = ''
as $$
  select imago.validate_constraint('public."Booking"', 'Booking_technicianId_fkey')
$$;
comment on function staging_to_production.validate_technicians() is 'Direct finalize step: the foreign key of "Booking"."technicianId" is valid.';

-- staging_to_production registration
insert into imago.plan_stage (plan, number, source_schema, source_table, key_column, entity_singular, entity_plural)
values ('staging_to_production', 2, 'public', 'Booking', 'id', 'booking', 'bookings');

insert into imago.plan_step (plan, position, name, routine, direct, statement) values
  ('staging_to_production', 1, 'types', 'prepare_types', false, null),
  ('staging_to_production', 2, 'new tables', 'prepare_tables', false, null),
  ('staging_to_production', 3, 'columns of "User"', 'prepare_user', false, null),
  ('staging_to_production', 4, 'new status of "Booking"', 'prepare_booking', false, null),
  ('staging_to_production', 5, 'index on "Booking"."scheduledFor"', 'index_booking', true,
   'create index concurrently "Booking_scheduledFor_idx" on public."Booking" ("scheduledFor")'),
  ('staging_to_production', 6, 'views', 'prepare_views', false, null);

insert into imago.plan_step (plan, position, name, phase, routine) values
  ('staging_to_production', 10, 'swap', 'finalize', 'swap'),
  ('staging_to_production', 11, 'foreign key of "Booking"."customerId"', 'finalize', 'key_customers'),
  ('staging_to_production', 12, 'foreign key of "Booking"."serviceId"', 'finalize', 'key_services'),
  ('staging_to_production', 13, 'foreign key of "Booking"."technicianId"', 'finalize', 'key_technicians'),
  ('staging_to_production', 21, 'status not null', 'finalize', 'require_status'),
  ('staging_to_production', 22, 'table for lost statuses', 'finalize', 'make_kept_status'),
  ('staging_to_production', 24, 'text status dropped', 'finalize', 'drop_status'),
  ('staging_to_production', 25, 'comments', 'finalize', 'clear_comments'),
  ('staging_to_production', 30, 'table "UserImage"', 'cleanup', 'clean_images'),
  ('staging_to_production', 31, 'empty columns', 'cleanup', 'clean_columns'),
  ('staging_to_production', 32, 'empty tables', 'cleanup', 'clean_tables'),
  ('staging_to_production', 33, 'unused types', 'cleanup', 'clean_types');

insert into imago.plan_step (plan, position, name, phase, routine, source) values
  ('staging_to_production', 14, 'references that came meanwhile', 'finalize', 'populate', 'public."Booking"'),
  ('staging_to_production', 15, 'statuses that came meanwhile', 'finalize', 'fill_status', 'public."Booking"'),
  ('staging_to_production', 23, 'lost statuses aside', 'finalize', 'keep_statuses', 'public."Booking"');

insert into imago.plan_step (plan, position, name, phase, routine, direct, statement) values
  ('staging_to_production', 16, '"Booking"."customerId" valid', 'finalize', 'validate_customers', true,
   'alter table public."Booking" validate constraint "Booking_customerId_fkey"'),
  ('staging_to_production', 17, '"Booking"."serviceId" valid', 'finalize', 'validate_services', true,
   'alter table public."Booking" validate constraint "Booking_serviceId_fkey"'),
  ('staging_to_production', 18, '"Booking"."technicianId" valid', 'finalize', 'validate_technicians', true,
   'alter table public."Booking" validate constraint "Booking_technicianId_fkey"'),
  ('staging_to_production', 19, '"User"."imageId" valid', 'finalize', 'validate_images', true,
   'alter table public."User" validate constraint "User_imageId_fkey"'),
  ('staging_to_production', 20, 'status set', 'finalize', 'validate_status', true,
   'alter table public."Booking" validate constraint "Booking_status_set"');

insert into imago.plan_write (plan, position, stage, relation, entity_column, inserts, columns) values
  ('staging_to_production', 1, 1, 'public."Image"', 'id', true, '{url,publicId,uploadedAt}'),
  ('staging_to_production', 2, 2, 'public."Booking"', 'id', false, '{newStatus}');
-- Placeholders: several bookings share one.
insert into imago.plan_write (plan, position, relation, inserts) values
  ('staging_to_production', 3, 'public."PhoneNumber"', true),
  ('staging_to_production', 4, 'public."Customer"', true),
  ('staging_to_production', 5, 'public."ServiceToJobType"', true),
  ('staging_to_production', 6, 'public."Technician"', true);

-- Of images only what a statement has changed goes over: another column may hold what the other side does not have yet, since a
-- sync has failed.
insert into imago.plan_sync (plan, position, stage, name, relation, events, columns, entity_column, direction, creates, statement) values
  ('staging_to_production', 1, 1, 'images', 'public."UserImage"', '{insert,update,delete}', '{id,url,publicId,uploadedAt}', 'id', 'forward', true,
   'with gone as (
      delete from public."Image" i using old_rows o where i.id = o.id and not exists (select from new_rows n where n.id = o.id)
    ), changed as (
      update public."Image" i set
        url = case when n.url is distinct from o.url then n.url else i.url end,
        "publicId" = case when n."publicId" is distinct from o."publicId" then n."publicId" else i."publicId" end,
        "uploadedAt" = case when n."uploadedAt" is distinct from o."uploadedAt" then n."uploadedAt" else i."uploadedAt" end
      from new_rows n join old_rows o on o.id = n.id
      where i.id = n.id
      returning i.id
    )
    insert into public."Image" as i (id, url, "publicId", "uploadedAt")
    select n.id, n.url, n."publicId", n."uploadedAt" from new_rows n where not exists (select from changed c where c.id = n.id)
    on conflict (id) do update set url = excluded.url, "publicId" = excluded."publicId", "uploadedAt" = excluded."uploadedAt"'),
  ('staging_to_production', 2, 1, 'images, back', 'public."Image"', '{insert,update,delete}', '{id,url,publicId,uploadedAt}', 'id', 'back', false,
   'with gone as (
      delete from public."UserImage" u using old_rows o where u.id = o.id and not exists (select from new_rows n where n.id = o.id)
    ), changed as (
      update public."UserImage" u set
        url = case when n.url is distinct from o.url then n.url else u.url end,
        "publicId" = case when n."publicId" is distinct from o."publicId" then n."publicId" else u."publicId" end,
        "uploadedAt" = case when n."uploadedAt" is distinct from o."uploadedAt" then n."uploadedAt" else u."uploadedAt" end
      from new_rows n join old_rows o on o.id = n.id
      where u.id = n.id
      returning u.id
    )
    insert into public."UserImage" as u (id, url, "publicId", "uploadedAt")
    select n.id, n.url, n."publicId", n."uploadedAt" from new_rows n where not exists (select from changed c where c.id = n.id)
    on conflict (id) do update set url = excluded.url, "publicId" = excluded."publicId", "uploadedAt" = excluded."uploadedAt"'),
  -- Where the same statement wrote both, the new side is believed.
  ('staging_to_production', 3, 2, 'status', 'public."Booking"', '{insert,update}', '{status}', 'id', 'forward', true,
   format('update public."Booking" b set "newStatus" = (%1$s)::public."BookingStatus"
    from new_rows n left join old_rows o on o.id = n.id
    where b.id = n.id and n."newStatus" is not distinct from o."newStatus" and b."newStatus"::text is distinct from %1$s',
     staging_to_production.status_rule('n.status'))),
  ('staging_to_production', 4, 2, 'status, back', 'public."Booking"', '{insert,update}', '{newStatus}', 'id', 'back', false,
   format('update public."Booking" b set status = n."newStatus"::text
    from new_rows n
    where b.id = n.id and n."newStatus" is not null and %s <> n."newStatus"::text', staging_to_production.status_rule('b.status')));

insert into imago.plan_check (plan, stage, position, name, severity, phase, source, fix, meaning, remedy) values
  ('staging_to_production', 1, 1, 'images_that_differ', 'error', 'after', 'public."UserImage"', 'apply',
   'An image is not in "Image", or differs there: it came while sync was off, a sync failed, or it was set aside.',
   'Fix copies it; so does migrate_batch.'),
  ('staging_to_production', 1, 2, 'users_of_unknown_images', 'error', 'after', 'public."User"', null,
   'A user''s "imageId" names an image that is not there.',
   'Set it to null, or bring the image: update "User" set "imageId" = null where id = <key>.'),
  ('staging_to_production', 2, 3, 'bookings_that_differ', 'error', 'after', 'public."Booking"', 'apply_2',
   'The new status of a booking is not what the old one means.',
   'Fix sets it; so does migrate_batch.'),
  ('staging_to_production', 2, 4, 'bookings_without_customer', 'error', 'during', 'public."Booking"', 'fix_customers',
   'A booking names a customer that is not there. Finalize adds the foreign key, and refuses as long as there is one.',
   'Bring the customers into "Customer". Fix makes a placeholder for each that is missing: name ''Placeholder'', a negative "customerId".'),
  ('staging_to_production', 2, 5, 'bookings_without_service', 'error', 'during', 'public."Booking"', 'fix_services',
   'A booking names a service that is not there. Finalize adds the foreign key, and refuses as long as there is one.',
   'Bring the services into "ServiceToJobType". Fix makes a placeholder, not enabled, for each that is missing.'),
  ('staging_to_production', 2, 6, 'bookings_without_technician', 'error', 'during', 'public."Booking"', 'fix_technicians',
   'A booking names a technician who is not there. Finalize adds the foreign key, and refuses as long as there is one.',
   'Bring the technicians into "Technician". Fix makes a placeholder, not enabled, for each who is missing.');
insert into imago.plan_check (plan, position, name, severity, phase, routine, meaning, remedy) values
  ('staging_to_production', 7, 'unknown_statuses', 'warning', 'before', 'staging_to_production.look_at_statuses',
   'A booking''s status is none of the new ones and becomes SCHEDULED. Facts count the bookings value by value.',
   'Change them before the migration, if that is not what they mean. Finalize keeps what they held aside until clean-up.');

select imago.revoke_plan_functions('staging_to_production');
