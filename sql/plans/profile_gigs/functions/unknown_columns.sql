create or replace function profile_gigs.unknown_columns()
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  select 'error', 'no_value', format('public."Gigs".%I', a.attname), 'is not null, has no default, and the plan has no value for it',
    'Give it a default, or create the view profile_gigs.profile_gig yourself with a value for it.'
  from pg_catalog.pg_attribute a
  where a.attrelid = pg_catalog.to_regclass('public."Gigs"') and a.attnum > 0 and not a.attisdropped
    and a.attnotnull and not a.atthasdef and a.attidentity = ''
    and a.attname not in (select v.column_name from profile_gigs.gig_values() v)
    and not profile_gigs.has_columns('profile_gigs.profile_gig', a.attname)
$$;
comment on function profile_gigs.unknown_columns() is 'Columns of "Gigs" that must have a value and for which a profile gig has none.';
