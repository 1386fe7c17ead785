create or replace function avatars.fix_failed(keys uuid[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  failed uuid[];
begin
  select array_agg(s.entity::uuid) into failed
  from imago.sync_failure s where s.plan = 'avatars' and s.stage = 1 and s.entity = any (keys::text[]);
  if failed is not null then
    perform avatars.fix_posts(failed) where avatars.author_column() is not null;
    perform avatars.fix_follows(failed) where avatars.followed_column() is not null;
  end if;
end
$$;
comment on function avatars.fix_failed(uuid[]) is 'Gives rows that changed hands while a sync failed the avatar of whom they belong to now. All of those keys for which no sync has failed are left alone.';
