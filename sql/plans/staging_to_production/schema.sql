select imago.create_plan(
  'staging_to_production', 'A Prisma app''s production database becomes what its staging is', 'public', 'UserImage', 'id',
  'image', 'images');

create sequence staging_to_production.placeholder_number as integer;
comment on sequence staging_to_production.placeholder_number is 'Numbers of placeholder rows, used negative: the app''s own are not.';
