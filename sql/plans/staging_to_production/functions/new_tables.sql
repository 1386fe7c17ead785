create or replace function staging_to_production.new_tables()
returns table (number integer, name text, definition text, unique_keys text[])
language sql
immutable
set search_path = ''
as $$
  select row_number() over ()::integer, t.*
  from (values
    ('Image', '
      id text not null constraint "Image_pkey" primary key,
      url text not null,
      "publicId" text not null,
      "uploadedAt" timestamp(3) not null default current_timestamp', '{}'::text[]),
    ('EmailAddress', '
      id text not null constraint "EmailAddress_pkey" primary key,
      address text not null', '{address}'),
    ('PhoneNumber', '
      id text not null constraint "PhoneNumber_pkey" primary key,
      "countryCode" text not null,
      number text not null', '{countryCode,number}'),
    ('Skill', '
      id text not null constraint "Skill_pkey" primary key,
      name text not null', '{name}'),
    ('ServiceToJobType', '
      id text not null constraint "ServiceToJobType_pkey" primary key,
      "displayName" text not null,
      "serviceTitanId" integer not null,
      "serviceTitanName" text not null,
      emoji text not null,
      icon text not null,
      description text not null,
      enabled boolean not null default true', '{}'),
    ('Technician', '
      id text not null constraint "Technician_pkey" primary key,
      "technicianId" integer not null,
      "technicianName" text not null,
      enabled boolean not null default true,
      "imageId" text constraint "Technician_imageId_fkey" references public."Image" (id) on delete set null on update cascade,
      status public."TechnicianStatus" not null default ''AWAITING_JOB''', '{technicianId}'),
    ('Customer', '
      id text not null constraint "Customer_pkey" primary key,
      "customerId" integer not null,
      name text not null,
      type public."CustomerType" not null,
      "emailAddressId" text
        constraint "Customer_emailAddressId_fkey" references public."EmailAddress" (id) on delete set null on update cascade,
      "phoneNumberId" text not null
        constraint "Customer_phoneNumberId_fkey" references public."PhoneNumber" (id) on delete restrict on update cascade,
      "imageId" text constraint "Customer_imageId_fkey" references public."Image" (id) on delete set null on update cascade',
      '{customerId}'),
    ('ServiceToJobTypeSkill', '
      "serviceToJobTypeId" text not null constraint "ServiceToJobTypeSkill_serviceToJobTypeId_fkey"
        references public."ServiceToJobType" (id) on delete restrict on update cascade,
      "skillId" text not null
        constraint "ServiceToJobTypeSkill_skillId_fkey" references public."Skill" (id) on delete restrict on update cascade,
      constraint "ServiceToJobTypeSkill_pkey" primary key ("serviceToJobTypeId", "skillId")', '{}'),
    ('TechnicianSkill', '
      "technicianId" text not null
        constraint "TechnicianSkill_technicianId_fkey" references public."Technician" (id) on delete restrict on update cascade,
      "skillId" text not null
        constraint "TechnicianSkill_skillId_fkey" references public."Skill" (id) on delete restrict on update cascade,
      constraint "TechnicianSkill_pkey" primary key ("technicianId", "skillId")', '{}')
  ) t(name, definition, unique_keys)
$$;
comment on function staging_to_production.new_tables() is 'The tables that staging has and production has not, in the order in which they can be made. They are as Prisma makes and names them. unique_keys: columns of the one unique index.';
