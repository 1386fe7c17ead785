create or replace function profile_gigs.expect_no_loss()
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  standing text := profile_gigs.users_of_columns();
  amount bigint;
  keys text;
begin
  if standing is not null then
    perform imago.raise_error('IM048', 'profile_gigs', standing);
  end if;
  if not profile_gigs.has_both_sides() then
    return;
  end if;
  execute format(
    'select count(*), string_agg(key::text, '', '' order by key) filter (where place <= 3) from (
       select f.key, row_number() over (order by f.key) as place from (%s) f) numbered',
    profile_gigs.check_query('values_without_gig'))
  into amount, keys;
  if amount > 0 then
    perform imago.refuse_data_loss('profile_gigs', format(
      '%s users without a profile gig hold skills, languages, years or certificates (%s%s)', amount, keys, case when amount > 3 then ', …' else '' end));
  end if;
end
$$;
comment on function profile_gigs.expect_no_loss() is 'Finalize step: refuses while the columns of "User" are needed. Objects of the app depend on them, or a user without a profile gig holds values in them.';
