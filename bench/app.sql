-- The rows of a benchmark: exactly 5 posts and 2 follows a user, in the tables of the sample app.
--
-- Rows lie in the order in which an app would have written them: everybody signs up, then everybody writes a first
-- post, then a second one. A user's posts are therefore on five different pages, and the order of the keys has nothing
-- to do with the order on disk. The setting bench.users says how many users there are.

-- All of it is consistent by construction: foreign keys need no look-up, and no trigger has to run.
set local session_replication_role = replica;
set local work_mem = '256MB';

insert into public.users (id, username, display_name, bio, avatar_url, created_at, updated_at)
select
  md5('user ' || i)::uuid,
  'user_' || i,
  case when i % 5 = 0 then null else 'Person number ' || i end,
  case when i % 3 = 0 then null else 'Photos, coffee and code. Since ' || (2010 + i % 14) || '.' end,
  case when i % 2 = 0 then null else 'https://images.example.com/u/' || md5('image ' || i) || '.jpg' end,
  timestamptz '2024-01-01 00:00:00+00' + i * interval '1 second',
  timestamptz '2024-01-01 00:00:00+00' + i * interval '1 second'
from generate_series(1, current_setting('bench.users')::integer) as i
order by i;

insert into public.posts (id, user_id, body, created_at, updated_at)
select
  md5('post ' || i || ' ' || k)::uuid,
  md5('user ' || i)::uuid,
  'Post ' || k || ' of user ' || i || ', ' || md5('body ' || i || ' ' || k),
  timestamptz '2024-06-01 00:00:00+00' + k * interval '30 days' + i * interval '1 second',
  timestamptz '2024-06-01 00:00:00+00' + k * interval '30 days' + i * interval '1 second'
from generate_series(1, 5) as k
cross join generate_series(1, current_setting('bench.users')::integer) as i
order by k, i;

insert into public.follows (id, follower_id, followed_id, created_at, updated_at)
select
  md5('follow ' || i || ' ' || step)::uuid,
  md5('user ' || i)::uuid,
  md5('user ' || 1 + (i + step - 1) % current_setting('bench.users')::integer)::uuid,
  timestamptz '2025-01-01 00:00:00+00' + i * interval '1 second',
  timestamptz '2025-01-01 00:00:00+00' + i * interval '1 second'
from unnest(array[1, 7]) as step
cross join generate_series(1, current_setting('bench.users')::integer) as i
order by step, i;
