create or replace function profile_gigs.prepare_gigs()
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  added record;
begin
  for added in
    select v.name, v.type
    from (
      values
        ('isProfileGig', 'boolean not null default false'),
        ('skills', 'text[]'),
        ('codingLanguages', 'text[]'),
        ('yearsOfExperience', 'integer not null default 0'),
        ('certificates', 'text[]')
    ) v(name, type)
    where not profile_gigs.has_columns('public."Gigs"', v.name)
  loop
    -- Nullable or with a constant default: no row is written.
    execute format('alter table public."Gigs" add column %I %s', added.name, added.type);
    perform imago.note_added('profile_gigs', 'public."Gigs"', added.name);
  end loop;
end
$$;
comment on function profile_gigs.prepare_gigs() is 'Prepare step: the columns of "Gigs" that the app does not have.';
