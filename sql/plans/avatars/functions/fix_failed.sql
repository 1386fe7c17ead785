create or replace function avatars.fix_failed(keys uuid[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  failed uuid[];
begin
  if not imago.has_failed_syncs('avatars') then
    return;
  end if;
  select array_agg(k) into failed from unnest(keys) k where imago.last_failed_sync('avatars', k::text) is not null;
  if failed is not null then
    perform avatars.fix_posts(failed) where avatars.author_column() is not null;
    perform avatars.fix_follows(failed) where avatars.followed_column() is not null;
  end if;
end
$$;
comment on function avatars.fix_failed(uuid[]) is 'Gives rows that changed hands as a sync failed the right avatar.';
