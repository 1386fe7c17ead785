create or replace function imago_fleet.server_of(member imago_fleet.member)
returns text
language sql
stable
set search_path = ''
as $$
  select coalesce((server_of.member).server, pg_catalog.split_part((server_of.member).address, '/', 1), (server_of.member).url, 'member ' || (server_of.member).name)
$$;

comment on function imago_fleet.server_of(imago_fleet.member) is 'The server whose cap counts for a member: as said, or host and port; one that nobody has seen yet counts alone.';
