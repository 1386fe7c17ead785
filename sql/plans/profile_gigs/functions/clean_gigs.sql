create or replace function profile_gigs.clean_gigs()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  columns text[] := array(
    select a.attname::text from pg_catalog.pg_attribute a
    where a.attrelid = pg_catalog.to_regclass('public."Gigs"') and a.attnum > 0 and not a.attisdropped
      and a.attname in ('isProfileGig', 'skills', 'codingLanguages', 'yearsOfExperience', 'certificates')
      and imago.is_added('profile_gigs', 'public."Gigs"', a.attname)
    order by a.attnum);
  holds boolean;
begin
  if columns = '{}' then
    return null;
  end if;
  -- Under the lock the table must not be read for long.
  if not imago.may_hold('public."Gigs"') then
    return jsonb_build_object('warnings', jsonb_build_array('"Gigs" is too large to be looked through while its writers wait: its columns stay'));
  end if;
  -- Who reads goes on meanwhile.
  lock table public."Gigs" in share row exclusive mode;
  execute format('select exists (select from public."Gigs" where %s)', (
    select string_agg(format(case c when 'isProfileGig' then '%I' when 'yearsOfExperience' then '%I <> 0' else '%I is not null' end, c), ' or ')
    from unnest(columns) c)) into holds;
  if holds then
    return jsonb_build_object('warnings', jsonb_build_array('the columns of "Gigs" hold values: they stay'));
  end if;
  -- Prepare makes them again.
  drop view if exists profile_gigs.concerned, profile_gigs.pending, profile_gigs.profile_gig;
  perform imago.forget_added('profile_gigs', 'public."Gigs"', c) from unnest(columns) c;
  execute 'alter table public."Gigs" ' || (select string_agg(format('drop column %I', c), ', ') from unnest(columns) c);
  return jsonb_build_object('warnings', jsonb_build_array(format('%s of "Gigs" were empty: dropped', array_to_string(columns, ', '))));
end
$$;
comment on function profile_gigs.clean_gigs() is 'Clean-up step after a complete rollback: drops the columns that prepare added to "Gigs", if they are empty.';
