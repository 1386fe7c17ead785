-- The sample app: a user-centric social network as many people have built it, and its rows.
--
-- The setting sample.users says how many users there are. Everything else follows from it by hashing, so that the same
-- number gives the same rows, byte for byte, on every machine.

create table public.users (
  id uuid primary key default gen_random_uuid(),
  username text,
  display_name text,
  bio text,
  avatar_url text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table public.posts (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.users (id) on delete cascade,
  body text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table public.follows (
  id uuid primary key default gen_random_uuid(),
  follower_id uuid not null references public.users (id) on delete cascade,
  followed_id uuid not null references public.users (id) on delete cascade,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (follower_id, followed_id),
  check (follower_id <> followed_id)
);

create table public.comments (
  id uuid primary key default gen_random_uuid(),
  post_id uuid not null references public.posts (id) on delete cascade,
  user_id uuid not null references public.users (id) on delete cascade,
  body text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table public.likes (
  id uuid primary key default gen_random_uuid(),
  post_id uuid not null references public.posts (id) on delete cascade,
  user_id uuid not null references public.users (id) on delete cascade,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (post_id, user_id)
);

create function public.set_updated_at()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.updated_at := now();
  return new;
end
$$;

create trigger set_updated_at before update on public.users
  for each row execute function public.set_updated_at();
create trigger set_updated_at before update on public.posts
  for each row execute function public.set_updated_at();
create trigger set_updated_at before update on public.follows
  for each row execute function public.set_updated_at();
create trigger set_updated_at before update on public.comments
  for each row execute function public.set_updated_at();
create trigger set_updated_at before update on public.likes
  for each row execute function public.set_updated_at();

alter table public.users enable row level security;
alter table public.posts enable row level security;
alter table public.follows enable row level security;
alter table public.comments enable row level security;
alter table public.likes enable row level security;

create policy "everybody reads" on public.users for select using (true);
create policy "everybody reads" on public.posts for select using (true);
create policy "everybody reads" on public.follows for select using (true);
create policy "everybody reads" on public.comments for select using (true);
create policy "everybody reads" on public.likes for select using (true);

create policy "users write themselves" on public.users for all to authenticated
  using (id = (select auth.uid())) with check (id = (select auth.uid()));
create policy "authors write" on public.posts for all to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "followers write" on public.follows for all to authenticated
  using (follower_id = (select auth.uid())) with check (follower_id = (select auth.uid()));
create policy "authors write" on public.comments for all to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "likers write" on public.likes for all to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));

grant select on public.users, public.posts, public.follows, public.comments, public.likes to anon;
grant select, insert, update, delete
  on public.users, public.posts, public.follows, public.comments, public.likes
  to authenticated, service_role;

-- The rows. `draw` is a number from 0 to 1 that looks random: 32 bits of an md5 over what it is for.

-- One row in six or so has something that breaks naive code: null, empty, blank, very long, not ASCII, or a name that
-- many others have too.
insert into public.users (id, username, display_name, bio, avatar_url, created_at, updated_at)
select
  md5('user ' || i)::uuid,
  case
    when draw < 0.02 then null
    when draw < 0.03 then ''
    when draw < 0.06 then 'alex'
    when draw < 0.08 then (array['łukasz', 'søren', 'дмитрий', '田中', 'ali_علي', 'o''brien'])[1 + i % 6]
    else 'user_' || i
  end,
  case
    when draw_name < 0.20 then null
    when draw_name < 0.25 then ''
    when draw_name < 0.27 then '   '
    when draw_name < 0.2702 then repeat('Wolfeschlegelsteinhausenbergerdorff ', 8)
    when draw_name < 0.35 then (array[
      'José Ángel Núñez', 'Đặng Thị Hương', '王小明', 'محمد عبد الله', 'Зоя Иванова', '👩🏽‍🚀 Nova', 'O''Neil "Bobby" \ Tables',
      'Zoë Grünewald', 'नेहा शर्मा', 'e' || U&'\0301' || 'milie'
    ])[1 + i % 10]
    else
      (array['Alex', 'Sam', 'Maria', 'Chen', 'Olga', 'Yusuf', 'Ines', 'Tom', 'Aiko', 'Lena'])[1 + (draw * 1e6)::int % 10]
      || ' '
      || (array['Smith', 'Garcia', 'Kim', 'Novak', 'Okafor', 'Rossi', 'Silva', 'Weber', 'Dubois', 'Ito'])[1 + (draw_name * 1e6)::int % 10]
  end,
  case
    when draw_bio < 0.30 then null
    when draw_bio < 0.35 then ''
    when draw_bio < 0.352 then repeat('I write long bios. 我写很长的简介。 ', 600)
    when draw_bio < 0.3525 then repeat(md5('bio ' || i) || E'\n', 3000)
    when draw_bio < 0.40 then E'Line one\nLine two\t— “quoted” & <b>not bold</b> 🎨'
    else 'Photos, coffee and code. Since ' || (2010 + i % 14) || '.'
  end,
  case
    when draw_image < 0.40 then null
    when draw_image < 0.42 then ''
    else 'https://images.example.com/u/' || md5('image ' || i) || '.jpg'
  end,
  joined,
  joined + draw_bio * interval '300 days'
from (
  select
    i,
    ('x' || substr(md5('name ' || i), 1, 8))::bit(32)::bigint / 4294967296.0 as draw,
    ('x' || substr(md5('name ' || i), 9, 8))::bit(32)::bigint / 4294967296.0 as draw_name,
    ('x' || substr(md5('name ' || i), 17, 8))::bit(32)::bigint / 4294967296.0 as draw_bio,
    ('x' || substr(md5('name ' || i), 25, 8))::bit(32)::bigint / 4294967296.0 as draw_image,
    timestamptz '2022-01-01 00:00:00+00'
      + ('x' || substr(md5('joined ' || i), 1, 8))::bit(32)::bigint / 4294967296.0 * interval '1200 days' as joined
  from generate_series(1, current_setting('sample.users')::int) as i
) as person;

-- A third of the users never posted. The others' numbers of posts follow a power law: most have one or two, and in
-- 20,000 users a handful have thousands. 4000 is the most, so that a handful does not outweigh all others.
insert into public.posts (id, user_id, body, created_at, updated_at)
select
  md5('post ' || i || ' ' || k)::uuid,
  md5('user ' || i)::uuid,
  case
    when draw < 0.01 then ''
    when draw < 0.03 then repeat('Once upon a time. ', 200)
    when draw < 0.10 then '🌅 おはよう — ' || k
    else 'Post ' || k || ' of user ' || i || ', ' || substr(md5('body ' || i || ' ' || k), 1, 8)
  end,
  written,
  written + draw * interval '30 days'
from (
  select
    i,
    k,
    ('x' || substr(md5('post ' || i || ' ' || k), 1, 8))::bit(32)::bigint / 4294967296.0 as draw,
    timestamptz '2023-01-01 00:00:00+00'
      + ('x' || substr(md5('written ' || i || ' ' || k), 1, 8))::bit(32)::bigint / 4294967296.0 * interval '900 days'
      as written
  from (
    select i, (row_number() over (order by md5('posts ' || i)) - 0.5) / count(*) over () as place
    from generate_series(1, current_setting('sample.users')::int) as i
  ) as ranked
  cross join lateral generate_series(
    1,
    case when place < 0.33 then 0 else least(4000, floor(power((1 - place) / 0.67, -0.97)))::int end
  ) as k
) as post;

-- Three draws a user, some of them of the same person or of nobody: few are followed by many.
insert into public.follows (id, follower_id, followed_id, created_at, updated_at)
select
  md5('follow ' || follower || ' ' || followed)::uuid,
  md5('user ' || follower)::uuid,
  md5('user ' || followed)::uuid,
  at,
  at
from (
  select distinct on (follower, followed)
    follower,
    followed,
    timestamptz '2023-06-01 00:00:00+00' + draw * interval '700 days' as at
  from (
    select
      i as follower,
      ('x' || substr(md5('follow ' || i || ' ' || k), 9, 8))::bit(32)::bigint / 4294967296.0 as draw,
      1 + floor(
        current_setting('sample.users')::int
        * power(('x' || substr(md5('follow ' || i || ' ' || k), 1, 8))::bit(32)::bigint / 4294967296.0, 3)
      )::int as followed
    from generate_series(1, current_setting('sample.users')::int) as i
    cross join generate_series(1, 3) as k
  ) as drawn
  where follower <> followed
  order by follower, followed, draw
) as pair;

insert into public.comments (id, post_id, user_id, body, created_at, updated_at)
select
  md5('comment ' || drawn.i)::uuid,
  post.id,
  md5('user ' || 1 + drawn.i % current_setting('sample.users')::int)::uuid,
  case when drawn.i % 50 = 0 then '💯' else 'Comment ' || drawn.i end,
  post.created_at + interval '1 hour',
  post.created_at + interval '1 hour'
from (
  select i, ('x' || substr(md5('comment ' || i), 1, 8))::bit(32)::bigint / 4294967296.0 as draw
  from generate_series(1, current_setting('sample.users')::int * 3 / 2) as i
) as drawn
cross join (select count(*) as posts from public.posts) as total
join (select id, created_at, row_number() over (order by id) as place from public.posts) as post
  on post.place = 1 + floor(drawn.draw * total.posts);

insert into public.likes (id, post_id, user_id, created_at, updated_at)
select
  md5('like ' || drawn.i)::uuid,
  post.id,
  md5('user ' || 1 + drawn.i * 7 % current_setting('sample.users')::int)::uuid,
  post.created_at + interval '2 hours',
  post.created_at + interval '2 hours'
from (
  select i, power(('x' || substr(md5('like ' || i), 1, 8))::bit(32)::bigint / 4294967296.0, 2) as draw
  from generate_series(1, current_setting('sample.users')::int * 2) as i
) as drawn
cross join (select count(*) as posts from public.posts) as total
join (select id, created_at, row_number() over (order by id) as place from public.posts) as post
  on post.place = 1 + floor(drawn.draw * total.posts)
on conflict do nothing;

-- After the rows: building an index once is much faster than growing it.
create index posts_user_id_idx on public.posts (user_id);
create index follows_followed_id_idx on public.follows (followed_id);
create index comments_post_id_idx on public.comments (post_id);
create index comments_user_id_idx on public.comments (user_id);
create index likes_user_id_idx on public.likes (user_id);

analyze public.users, public.posts, public.follows, public.comments, public.likes;
