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
