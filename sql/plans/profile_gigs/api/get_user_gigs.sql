create or replace function public.get_user_gigs(user_id integer, include_profile_gigs boolean default false)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  select coalesce(jsonb_agg(
    case when get_user_gigs.include_profile_gigs then g.fields
      else g.fields - array['isProfileGig', 'skills', 'codingLanguages', 'yearsOfExperience', 'certificates'] end
    order by g.id), '[]')
  from (select r.id, to_jsonb(r) as fields from public."Gigs" r where r."userId" = get_user_gigs.user_id) g
  where get_user_gigs.include_profile_gigs or g.fields -> 'isProfileGig' is distinct from 'true'
$$;
comment on function public.get_user_gigs(integer, boolean) is 'Imago plan profile_gigs: the gigs of a user, as they were before there were profile gigs. Or all of them, with the columns that profile gigs have. Changes nothing.';
