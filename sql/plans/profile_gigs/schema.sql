do $$
declare
  taken text;
begin
  select string_agg(p.oid::pg_catalog.regprocedure::text, ', ') into taken
  from pg_catalog.pg_proc p
  where p.pronamespace = 'public'::pg_catalog.regnamespace and p.proname in ('get_user_profile_gig', 'get_user_gigs');
  if taken is not null then
    perform imago.raise_error('IM012', taken);
  end if;
end
$$;
select imago.create_plan('profile_gigs', 'One profile gig for each freelancer, with the skills that the user had', 'public', 'User', 'id',
  'freelancer', 'freelancers');
