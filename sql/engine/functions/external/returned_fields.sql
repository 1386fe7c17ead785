create or replace function imago.returned_fields(returned imago.returned)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('left', count(*)) from imago.claimed_entity c where c.token = returned.token
$$;
comment on function imago.returned_fields(imago.returned) is 'Of what came back, how much has yet to be written: the same call again goes on with it.';
