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
