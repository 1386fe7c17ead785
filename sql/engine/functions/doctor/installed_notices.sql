create or replace function imago.installed_notices()
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'ways', imago.notify_ways(),
    'missing', (
      select coalesce(jsonb_agg(jsonb_build_object('way', w, 'lacks', imago.missing_way(w))), '[]')
      from unnest(imago.notify_ways()) w where imago.missing_way(w) is not null),
    'given_up', (select count(*) from imago.notice n where n.given_up_at is not null))
$$;
comment on function imago.installed_notices() is 'By which ways people are told of runs, which of them cannot work, and how many messages never arrived.';
