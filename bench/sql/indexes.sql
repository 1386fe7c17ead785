-- What guides create along with the columns, before there is anything in them.
create index users_active_avatar_id_idx on public.users (active_avatar_id) where active_avatar_id is not null;
create index posts_avatar_id_idx on public.posts (avatar_id) where avatar_id is not null;
create index follows_avatar_id_idx on public.follows (avatar_id) where avatar_id is not null;
