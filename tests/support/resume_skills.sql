-- An app as the plan resume_skills meets it: users with a number as key, who write résumés. The setting sample.users says
-- how many there are.

create table public.users (
  id serial primary key,
  name varchar(100) not null,
  email varchar(255) not null unique,
  password varchar(255) not null,
  phone varchar(20),
  created_at timestamp not null default now(),
  updated_at timestamp not null default now()
);

create table public.resumes (
  id serial primary key,
  user_id integer not null references public.users (id) on delete cascade,
  title varchar(200) not null,
  content json,
  created_at timestamp not null default now()
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

alter table public.users enable row level security;
alter table public.resumes enable row level security;

insert into public.users (name, email, password, phone, created_at, updated_at)
select
  (array['Łukasz Nowak', 'O''Neil "Bobby" \ Tables', '王小明', 'Zoë Grünewald', '👩🏽‍🚀 Nova'])[1 + i % 5] || ' ' || i,
  'user' || i || '@example.com',
  md5('password ' || i),
  case when i % 3 = 0 then '+49 30 ' || i end,
  timestamp '2024-01-01' + i * interval '1 hour',
  timestamp '2024-01-01' + i * interval '2 hours'
from generate_series(1, current_setting('sample.users')::int) i;

-- Keys with gaps, as in every app that has deleted somebody.
delete from public.users where id % 11 = 0;

insert into public.resumes (user_id, title, content)
select u.id, 'Résumé of ' || u.name, '{"sections": ["work", "school"]}' from public.users u where u.id % 2 = 0;

create index resumes_user_id_idx on public.resumes (user_id);
analyze public.users, public.resumes;
