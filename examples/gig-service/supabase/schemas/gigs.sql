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
