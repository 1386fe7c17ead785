-- The app that the avatar guide was written for: avatars exist already, with everything not null, users have
-- profile_image_url, posts an author_id, follows a following_id, and every foreign key cascades. The setting
-- guide.users says how many users there are.

create table public.users (
  id uuid primary key default gen_random_uuid(),
  username text not null unique,
  display_name text,
  bio text,
  profile_image_url text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table public.avatars (
  id uuid primary key default gen_random_uuid(),
  owner_user_id uuid not null references public.users (id) on delete cascade,
  name text not null,
  bio text not null,
  niche text not null check (niche in ('comedy', 'education', 'gaming', 'music', 'technology', 'other')),
  personality_traits text[] not null,
  personality_prompt text not null,
  avatar_image_url text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table public.posts (
  id uuid primary key default gen_random_uuid(),
  author_id uuid not null references public.users (id) on delete cascade,
  content text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table public.follows (
  id uuid primary key default gen_random_uuid(),
  follower_id uuid not null references public.users (id) on delete cascade,
  following_id uuid not null references public.users (id) on delete cascade,
  created_at timestamptz not null default now(),
  unique (follower_id, following_id)
);

create function public.touch_updated_at()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.updated_at := clock_timestamp();
  return new;
end
$$;

create trigger touch_updated_at before update on public.users
  for each row execute function public.touch_updated_at();
create trigger touch_updated_at before update on public.avatars
  for each row execute function public.touch_updated_at();
create trigger touch_updated_at before update on public.posts
  for each row execute function public.touch_updated_at();

alter table public.users enable row level security;
alter table public.avatars enable row level security;
alter table public.posts enable row level security;
alter table public.follows enable row level security;

create policy "everybody reads" on public.users for select using (true);
create policy "everybody reads" on public.avatars for select using (true);
create policy "everybody reads" on public.posts for select using (true);
create policy "everybody reads" on public.follows for select using (true);

grant select on public.users, public.avatars, public.posts, public.follows to anon, authenticated;
grant all on public.users, public.avatars, public.posts, public.follows to service_role;

insert into public.users (id, username, display_name, bio, profile_image_url, created_at, updated_at)
select
  md5('user ' || i)::uuid,
  'user_' || i,
  case i % 5 when 0 then null when 1 then '' else 'Person ' || i end,
  case i % 4 when 0 then null when 1 then '' else 'About ' || i end,
  case when i % 3 = 0 then null else 'https://images.example.com/' || i || '.png' end,
  timestamptz '2023-01-01 00:00:00+00' + i * interval '1 hour',
  timestamptz '2023-06-01 00:00:00+00' + i * interval '1 hour'
from generate_series(1, current_setting('guide.users')::int) as i;

-- Every tenth user made an avatar by himself, every thirtieth two.
insert into public.avatars
  (id, owner_user_id, name, bio, niche, personality_traits, personality_prompt, created_at, updated_at)
select
  md5('avatar ' || i || ' ' || k)::uuid,
  md5('user ' || i)::uuid,
  'Avatar ' || k || ' of ' || i,
  'Made by hand',
  'music',
  array['curious'],
  'You are curious.',
  timestamptz '2024-01-01 00:00:00+00' + i * interval '1 hour' + k * interval '1 day',
  timestamptz '2024-01-01 00:00:00+00' + i * interval '1 hour' + k * interval '1 day'
from generate_series(10, current_setting('guide.users')::int, 10) as i
cross join lateral generate_series(1, case when i % 30 = 0 then 2 else 1 end) as k;

insert into public.posts (id, author_id, content, created_at, updated_at)
select
  md5('post ' || i || ' ' || k)::uuid,
  md5('user ' || i)::uuid,
  'Post ' || k || ' of ' || i,
  timestamptz '2024-03-01 00:00:00+00' + i * interval '1 hour' + k * interval '1 minute',
  timestamptz '2024-04-01 00:00:00+00' + i * interval '1 hour' + k * interval '1 minute'
from generate_series(1, current_setting('guide.users')::int) as i
cross join lateral generate_series(1, i % 7) as k;

insert into public.follows (id, follower_id, following_id, created_at)
select
  md5('follow ' || i || ' ' || k)::uuid,
  md5('user ' || i)::uuid,
  md5('user ' || 1 + (i + k * k) % current_setting('guide.users')::int)::uuid,
  timestamptz '2024-05-01 00:00:00+00' + i * interval '1 hour'
from generate_series(1, current_setting('guide.users')::int) as i
cross join generate_series(1, 2) as k
where i <> 1 + (i + k * k) % current_setting('guide.users')::int
on conflict do nothing;

create index avatars_owner_user_id_idx on public.avatars (owner_user_id);
create index posts_author_id_idx on public.posts (author_id);
create index follows_following_id_idx on public.follows (following_id);
