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
