-- A marketplace whose tables Prisma made: quoted mixed-case names, serial keys. The setting sample.users says how many.
create table public."User" (
  id serial not null,
  username text not null,
  email text not null,
  password text not null,
  "fullName" text,
  role text not null default 'client',
  "isProfileInfoSet" boolean not null default false,
  "profileImage" text,
  description text,
  skills text[],
  "codingLanguages" text[],
  "yearsOfExperience" integer,
  certificates text[],
  "createdAt" timestamp(3) not null default current_timestamp,
  "updatedAt" timestamp(3) not null,
  constraint "User_pkey" primary key (id)
);
create unique index "User_username_key" on public."User" (username);
create unique index "User_email_key" on public."User" (email);

create table public."Gigs" (
  id serial not null,
  title text not null,
  description text not null,
  category text not null,
  "deliveryTime" integer not null,
  revisions integer not null,
  features text[],
  price integer not null,
  "shortDesc" text not null,
  images text[],
  "userId" integer not null,
  "createdAt" timestamp(3) not null default current_timestamp,
  constraint "Gigs_pkey" primary key (id),
  constraint "Gigs_userId_fkey" foreign key ("userId") references public."User" (id) on delete restrict on update cascade
);
create index "Gigs_userId_idx" on public."Gigs" ("userId");

create table public."Orders" (
  id serial not null,
  "gigId" integer not null,
  "buyerId" integer not null,
  price integer not null,
  "isCompleted" boolean not null default false,
  "createdAt" timestamp(3) not null default current_timestamp,
  constraint "Orders_pkey" primary key (id),
  constraint "Orders_gigId_fkey" foreign key ("gigId") references public."Gigs" (id) on delete restrict on update cascade,
  constraint "Orders_buyerId_fkey" foreign key ("buyerId") references public."User" (id) on delete restrict on update cascade
);
create index "Orders_gigId_idx" on public."Orders" ("gigId");

-- Ids have gaps. Of ten users six are freelancers, one of them without a profile that is set; names are missing, empty, of
-- blanks and of other scripts; lists are missing, empty, with quotes, commas and nulls in them.
insert into public."User" (
  id, username, email, password, "fullName", role, "isProfileInfoSet", description, skills, "codingLanguages",
  "yearsOfExperience", certificates, "createdAt", "updatedAt")
select
  3 * n + n / 7,
  'user_' || n,
  format('user_%s@example.test', n),
  md5(n::text),
  case n % 11 when 1 then null when 2 then '' when 3 then '   ' when 4 then 'Zoë Müller-Lüdenscheidt' when 5 then '山田 太郎'
    when 6 then 'Sean O''Brien' when 7 then '🦄 100% "Dev"' else 'Full Name ' || n end,
  case when n % 10 < 6 then 'freelancer' when n % 10 = 9 then 'admin' else 'client' end,
  n % 10 < 5,
  case n % 4 when 0 then null when 1 then '' else 'I build things, no. ' || n end,
  case when n % 10 >= 5 then case n % 3 when 0 then '{}'::text[] end
    else case n % 6 when 0 then null when 1 then '{}' when 2 then array['SQL', 'C, C++ & "C#"', 'Ἑλληνικά'] when 3 then array['a', null, '']
      else array['SQL', 'skill ' || n] end end,
  case when n % 10 < 5 then case n % 7 when 0 then null when 1 then '{}' else array['TypeScript', 'PL/pgSQL', 'lang ' || n % 9] end end,
  case when n % 10 < 5 then nullif(n % 8, 3) end,
  case when n % 10 < 5 then case n % 4 when 0 then null when 1 then '{}' else array['AWS Certified № ' || n] end end,
  timestamp '2024-01-01' + n * interval '1 hour',
  timestamp '2024-06-01' + n * interval '1 minute'
from generate_series(1, coalesce(nullif(current_setting('sample.users', true), '')::integer, 200)) n;
select setval('public."User_id_seq"', (select max(id) from public."User"));

insert into public."Gigs" (
  title, description, category, "deliveryTime", revisions, features, price, "shortDesc", images, "userId", "createdAt")
select
  format('I will do no. %s for user %s', g, u.id), 'Everything about it', (array['Design', 'Development & IT', 'Écriture'])[1 + g % 3],
  1 + g % 7, g % 4, case g % 3 when 0 then null when 1 then '{}' else array['Source code', 'Support'] end, 5 * g, 'Short and sweet',
  case g % 2 when 0 then '{}' else array[format('https://cdn.example.test/%s-%s.png', u.id, g)] end, u.id,
  u."createdAt" + g * interval '1 day'
from public."User" u cross join generate_series(1, u.id % 4) g
where u.role = 'freelancer';

insert into public."Orders" ("gigId", "buyerId", price, "isCompleted")
select g.id, (select min(u.id) from public."User" u where u.role = 'client'), g.price, g.id % 2 = 0
from public."Gigs" g where g.id % 3 = 0 and exists (select from public."User" u where u.role = 'client');

analyze public."User", public."Gigs", public."Orders";
