create or replace function avatars.prepare_avatars()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if pg_catalog.to_regclass('public.avatars') is not null then
    alter table public.avatars add column if not exists metadata jsonb;
    return;
  end if;
  create table public.avatars (
    id uuid primary key default gen_random_uuid(),
    owner_user_id uuid not null references public.users (id) on delete cascade on update cascade,
    name text not null,
    bio text,
    avatar_image_url text,
    niche text,
    personality_traits text[],
    metadata jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
  );
  comment on table public.avatars is 'Avatars of users. Default ones carry {"migrated": true} in metadata.';
  perform imago.note_added('avatars', 'public.avatars');
  create index avatars_owner_user_id_idx on public.avatars (owner_user_id);
  alter table public.avatars enable row level security;
  -- What the app wants public, or written by its users, it says itself (docs/avatars.md).
  perform imago.show_as('public.avatars', 'public.users', '{"owner_user_id": "id"}', avatars.origins());
end
$$;
comment on function avatars.prepare_avatars() is 'Prepare step: public.avatars, created where it is missing and as visible as public.users. An existing one gets only the nullable column metadata, for the mark.';
