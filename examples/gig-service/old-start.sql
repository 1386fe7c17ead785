-- What the service ran at every start before it had versions: a fresh schema, without any data.
drop table if exists public.gigs;
drop table if exists public.freelancers;
drop type if exists public.gig_state;

create table public.freelancers (
  id bigint generated always as identity primary key,
  name text not null,
  languages text[] not null default '{}',
  created_at timestamptz not null default now()
);
comment on table public.freelancers is 'Who offers gigs.';
comment on column public.freelancers.languages is 'Spoken languages, as ISO 639-1 codes.';
alter table public.freelancers enable row level security;

create type public.gig_state as enum ('draft', 'published', 'closed');
create table public.gigs (
  id bigint generated always as identity primary key,
  freelancer_id bigint not null references public.freelancers on delete cascade,
  title text not null,
  price numeric(10, 2) not null check (price >= 0),
  state public.gig_state not null default 'draft'
);
create index gigs_freelancer_id_idx on public.gigs (freelancer_id);
alter table public.gigs enable row level security;
