-- A booking app's production database, whose tables Prisma made: text keys, timestamp(3), quoted names. The setting
-- sample.users says how many images, users and bookings; sample.references 'on' has the bookings name customers,
-- services and technicians, for which there are no tables yet.
create type public."Role" as enum ('USER', 'DISPATCHER', 'ADMIN');

create table public."UserImage" (
  id text not null,
  url text not null,
  "publicId" text not null,
  "uploadedAt" timestamp(3) not null default current_timestamp,
  constraint "UserImage_pkey" primary key (id)
);

create table public."User" (
  id text not null,
  email text not null,
  name text,
  role public."Role" not null default 'USER',
  "imageId" text,
  "createdAt" timestamp(3) not null default current_timestamp,
  "updatedAt" timestamp(3) not null,
  constraint "User_pkey" primary key (id),
  constraint "User_imageId_fkey" foreign key ("imageId") references public."UserImage" (id) on delete set null on update cascade
);
create unique index "User_email_key" on public."User" (email);

create table public."Booking" (
  id text not null,
  "userId" text,
  "customerId" text,
  "serviceId" text,
  "technicianId" text,
  "scheduledFor" timestamp(3) not null,
  status text not null default 'scheduled',
  notes text,
  "createdAt" timestamp(3) not null default current_timestamp,
  "updatedAt" timestamp(3) not null default current_timestamp,
  constraint "Booking_pkey" primary key (id),
  constraint "Booking_userId_fkey" foreign key ("userId") references public."User" (id) on delete set null on update cascade
);

insert into public."UserImage" (id, url, "publicId", "uploadedAt")
select 'img' || substr(md5('image ' || n), 1, 21), 'https://images.example.test/' || n || '.jpg', 'users/' || n, timestamp '2024-01-01' + n * interval '1 hour'
from generate_series(1, current_setting('sample.users')::integer) n;

-- One user in five has no image.
insert into public."User" (id, email, name, role, "imageId", "createdAt", "updatedAt")
select 'usr' || substr(md5('user ' || n), 1, 21), 'user_' || n || '@example.test', 'User ' || n,
  (array['USER', 'USER', 'DISPATCHER', 'ADMIN'])[1 + n % 4]::public."Role",
  case when n % 5 > 0 then 'img' || substr(md5('image ' || n), 1, 21) end,
  timestamp '2024-01-01' + n * interval '1 hour', timestamp '2024-02-01' + n * interval '1 hour'
from generate_series(1, current_setting('sample.users')::integer) n;

-- Statuses as years of hand-written code have left them.
insert into public."Booking" (id, "userId", "customerId", "serviceId", "technicianId", "scheduledFor", status, "createdAt", "updatedAt")
select 'bkg' || substr(md5('booking ' || n), 1, 21), 'usr' || substr(md5('user ' || n), 1, 21),
  case when r.wanted then 'cus' || n % 7 end,
  case when r.wanted and n % 4 > 0 then 'srv' || n % 3 end,
  case when r.wanted and n % 2 > 0 then 'tec' || n % 5 end,
  timestamp '2025-01-01' + n * interval '1 day',
  (array['scheduled', 'SCHEDULED', 'Pending', 'CANCELLED', 'canceled', 'Completed', 'no show', 'tbd'])[1 + n % 8],
  timestamp '2024-03-01' + n * interval '1 hour', timestamp '2024-03-02' + n * interval '1 hour'
from generate_series(1, current_setting('sample.users')::integer) n
cross join (select current_setting('sample.references', true) is not distinct from 'on' as wanted) r;
