create or replace function profile_gigs.gig_values()
returns table (column_name text, expression text)
language sql
stable
set search_path = ''
as $$
  select v.column_name, v.expression
  from (
    select 'coalesce(case when u."fullName" ~ ''\S'' then u."fullName" end, case when u.username ~ ''\S'' then u.username end, ''Freelancer'')' as name
  ) n
  cross join lateral (
    values
      ('userId', 'u.id'),
      ('isProfileGig', 'true'),
      ('title', n.name || ' || ''''''s Professional Profile'''),
      ('description', format('case when u.description ~ ''\S'' then u.description else ''Professional profile for '' || %s end', n.name)),
      ('category', '''Development & IT''::text'),
      ('deliveryTime', '1'),
      ('revisions', '1'),
      ('features', 'array[''Professional Profile'']'),
      ('price', '0'),
      ('shortDesc', '''Professional profile for '' || ' || n.name),
      ('images', '''{}''::text[]'),
      ('skills', 'u.skills'),
      ('codingLanguages', 'u."codingLanguages"'),
      ('yearsOfExperience', 'coalesce(u."yearsOfExperience", 0)'),
      ('certificates', 'u.certificates'),
      -- Prisma sets it itself: the column has no default.
      ('updatedAt', 'now() at time zone ''UTC''')
  ) v(column_name, expression)
$$;
comment on function profile_gigs.gig_values() is 'Columns that a profile gig fills, each with its SQL expression over public."User" u.';
