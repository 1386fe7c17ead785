create or replace function profile_gigs.follow_gigs(gigs integer[])
returns void
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  write imago.plan_write := (select w from imago.plan_write w where w.plan = 'profile_gigs' and w.relation = 'public."Gigs"');
  as_the_user text := (
    select string_agg(case
      when c = 'yearsOfExperience' then 'coalesce(u."yearsOfExperience", 0)'
      when c = any (write.columns) then format('u.%I', c)
      else format('g.%I', c) end, ', ' order by n)
    from unnest(write.inserted_columns) with ordinality i(c, n));
begin
  -- The user has what the gig had: with that put in, a gig that nobody has edited otherwise has the print of the journal.
  execute format(
    'update imago_undo.%I j set print = %s
     from public."Gigs" g join public."User" u on u.id = g."userId"
     where g.id = any ($1) and j.entity = g."userId" and j.op = ''i'' and j.key_1 = g.id
       and j.print = pg_catalog.hashtextextended(row(%s)::text, 0)',
    write.undo_table, imago.fingerprint('g', write.inserted_columns), as_the_user)
  using gigs;
end
$$;
comment on function profile_gigs.follow_gigs(integer[]) is 'What the app wrote to these gigs, and is about to be copied to their users, is no conflict: the journal moves along.';
