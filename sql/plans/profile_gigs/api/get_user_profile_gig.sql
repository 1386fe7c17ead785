create or replace function public.get_user_profile_gig(user_id integer)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  -- Rows as JSON: so it works before prepare has added columns, and after finalize has dropped some.
  select jsonb_build_object(
    'userId', get_user_profile_gig.user_id,
    'source', case when gig.profile is not null then 'gig' when own.profile is not null then 'user' end,
    'profile', coalesce(gig.profile, own.profile))
  from (select) nothing
  left join lateral (
    select jsonb_build_object(
      'description', u.fields -> 'description', 'skills', u.fields -> 'skills', 'codingLanguages', u.fields -> 'codingLanguages',
      'yearsOfExperience', u.fields -> 'yearsOfExperience', 'certificates', u.fields -> 'certificates') as profile
    from (select to_jsonb(r) as fields from public."User" r where r.id = get_user_profile_gig.user_id) u
  ) own on true
  left join lateral (
    select (
      select jsonb_object_agg(f.key, f.value) from jsonb_each(g.fields) f
      where f.key in (
        'id', 'title', 'description', 'category', 'deliveryTime', 'revisions', 'features', 'price', 'shortDesc', 'images', 'createdAt',
        'skills', 'codingLanguages', 'yearsOfExperience', 'certificates')) as profile
    from (select to_jsonb(r) as fields from public."Gigs" r where r."userId" = get_user_profile_gig.user_id) g
    where g.fields -> 'isProfileGig' = 'true'
    limit 1
  ) gig on true
$$;
comment on function public.get_user_profile_gig(integer) is 'Imago plan profile_gigs: the professional profile of a user. It is their profile gig, or their own columns while they have none. source tells which; it is null for nobody. Changes nothing.';
