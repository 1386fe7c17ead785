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
    owner_user_id uuid not null references public.users (id) on delete cascade,
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
  create policy "everybody reads avatars" on public.avatars for select using (true);
  create policy "owners add avatars" on public.avatars for insert to authenticated
    with check (owner_user_id = (select auth.uid()));
  create policy "owners change their avatars" on public.avatars for update to authenticated
    using (owner_user_id = (select auth.uid())) with check (owner_user_id = (select auth.uid()));
  create policy "owners remove their avatars" on public.avatars for delete to authenticated
    using (owner_user_id = (select auth.uid()));
  grant select on public.avatars to anon;
  grant select, insert, update, delete on public.avatars to authenticated, service_role;
end
$$;
comment on function avatars.prepare_avatars() is 'Prepare step: public.avatars, created where it is missing; an existing one gets only the nullable column metadata, for the mark.';
