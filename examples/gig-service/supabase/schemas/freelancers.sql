create table public.freelancers (
  id bigint generated always as identity primary key,
  name text not null,
  languages text[] not null default '{}',
  certifications text[] not null default '{}',
  created_at timestamptz not null default now()
);

comment on table public.freelancers is 'Who offers gigs.';
comment on column public.freelancers.languages is 'Spoken languages, as ISO 639-1 codes.';

alter table public.freelancers enable row level security;
