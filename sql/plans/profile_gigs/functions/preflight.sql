create or replace function profile_gigs.preflight()
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
begin
  return query select * from imago.relation_problems('public."Gigs"');
  return query select * from imago.partition_problems('public."Gigs"', 'The unique index that holds one profile gig a user is built concurrently, which a partitioned table cannot have.');
  return query
    select c.*
    from (
      values
        ('public."User"', 'id', '{integer}'::text[], true),
        ('public."User"', 'username', '{text,"character varying"}', true),
        ('public."User"', 'fullName', '{text,"character varying"}', true),
        ('public."User"', 'description', '{text,"character varying"}', true),
        ('public."User"', 'isProfileInfoSet', '{boolean}', true),
        ('public."User"', 'skills', '{text[]}', true),
        ('public."User"', 'codingLanguages', '{text[]}', true),
        ('public."User"', 'yearsOfExperience', '{integer}', true),
        ('public."User"', 'certificates', '{text[]}', true),
        ('public."Gigs"', 'id', '{integer}', true),
        ('public."Gigs"', 'userId', '{integer}', true),
        ('public."Gigs"', 'title', '{text,"character varying"}', true),
        ('public."Gigs"', 'description', '{text,"character varying"}', true),
        ('public."Gigs"', 'category', '{text,"character varying"}', true),
        ('public."Gigs"', 'deliveryTime', '{smallint,integer,bigint}', true),
        ('public."Gigs"', 'revisions', '{smallint,integer,bigint}', true),
        ('public."Gigs"', 'features', '{text[]}', true),
        ('public."Gigs"', 'price', '{smallint,integer,bigint,numeric,real,"double precision"}', true),
        ('public."Gigs"', 'shortDesc', '{text,"character varying"}', true),
        ('public."Gigs"', 'images', '{text[]}', true),
        -- Prepare adds these; an app that has them keeps its own.
        ('public."Gigs"', 'isProfileGig', '{boolean}', false),
        ('public."Gigs"', 'skills', '{text[]}', false),
        ('public."Gigs"', 'codingLanguages', '{text[]}', false),
        ('public."Gigs"', 'yearsOfExperience', '{integer}', false),
        ('public."Gigs"', 'certificates', '{text[]}', false)
    ) v(relation, name, types, needed)
    cross join lateral imago.column_problems(v.relation, v.name, v.types) c
    where v.needed or c.kind <> 'missing_column';
  -- An enum or a text: it is compared as text.
  if pg_catalog.to_regclass('public."User"') is not null and not profile_gigs.has_columns('public."User"', 'role') then
    return query select 'error', 'missing_column', 'public."User".role', 'column is missing', 'It tells who is a freelancer.';
  end if;
  if pg_catalog.to_regclass('public."Gigs"') is not null then
    return query select * from profile_gigs.unknown_columns();
  end if;
  return query
    select 'warning', 'limitation', 'public."Gigs"."userId"', format('by %I keeps a user who has a gig from being deleted, and each freelancer will have one', c.conname),
      'Have the app delete the gigs of a user before the user, or let the foreign key cascade.'
    from pg_catalog.pg_constraint c
    where c.conrelid = pg_catalog.to_regclass('public."Gigs"') and c.confrelid = pg_catalog.to_regclass('public."User"')
      and c.contype = 'f' and c.confdeltype in ('a', 'r');
end
$$;
comment on function profile_gigs.preflight() is 'What speaks against starting the plan on this app, and what will be different for the app. Missing tables and columns, other types, and columns of "Gigs" that a profile gig could not fill.';
