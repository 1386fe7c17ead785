create or replace function avatars.prepare_views()
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  conditions text := 'u.active_avatar_id is null';
  wrong text[] := '{}';
begin
  if pg_catalog.to_regclass('avatars.default_avatar') is null then
    execute (
      select format('create view avatars.default_avatar as select %s from public.users u',
                    string_agg(format('%s as %I', v.expression, v.column_name), ', '))
      from avatars.default_values() v
      where avatars.first_column('public.avatars', v.column_name) is not null);
    comment on view avatars.default_avatar is 'What a default avatar holds: owner_user_id and any columns of public.avatars, one row a user. Replace it to get other avatars.';
  end if;

  if avatars.author_column() is not null then
    conditions := conditions || format(
      ' or exists (select from public.posts p where p.%I = u.id and p.avatar_id is null)', avatars.author_column());
    wrong := wrong || format(
      'exists (select from public.posts p where p.%I = u.id and %s)', avatars.author_column(),
      avatars.is_wrong('p', avatars.author_column()));
  end if;
  if avatars.followed_column() is not null then
    conditions := conditions || format(
      ' or exists (select from public.follows f where f.%I = u.id and f.avatar_id is null)', avatars.followed_column());
    wrong := wrong || format(
      'exists (select from public.follows f where f.%I = u.id and %s)', avatars.followed_column(),
      avatars.is_wrong('f', avatars.followed_column()));
  end if;
  -- Who has lost or gained rows while a sync failed. All others are not looked at row by row.
  if wrong <> '{}' then
    conditions := conditions || format(
      ' or (select imago.has_failed_syncs(''avatars''))
          and imago.last_failed_sync(''avatars'', u.id::text) is not null and (%s)',
      array_to_string(wrong, ' or '));
  end if;
  execute format('create or replace view avatars.pending as select u.id as entity from public.users u where %s', conditions);
  comment on view avatars.pending is 'Users who have yet to be moved, or rows of theirs, also after a sync that failed.';
end
$$;
comment on function avatars.prepare_views() is 'Prepare step: the views default_avatar (kept if somebody made their own) and pending, from the columns found.';
