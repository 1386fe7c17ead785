-- Stands in for pg_cron 1.6, which is a server extension: its tables and functions with their signatures, errors, rights and
-- rules, compared with the real one (1.6.4). Here nothing runs by itself: the process of the embedded Supabase asks what is due.
create schema cron;

create sequence cron.jobid_seq;
create sequence cron.runid_seq;
grant select on sequence cron.jobid_seq, cron.runid_seq to public;

create table cron.job (
  jobid bigint primary key default nextval('cron.jobid_seq'),
  schedule text not null,
  command text not null,
  nodename text not null default 'localhost',
  nodeport int not null default inet_server_port(),
  database text not null default current_database(),
  username text not null default current_user,
  active boolean not null default true,
  jobname text,
  constraint jobname_username_uniq unique (jobname, username)
);
alter table cron.job enable row level security;
create policy cron_job_policy on cron.job using (username = current_user);
grant select on cron.job to public;

create table cron.job_run_details (
  jobid bigint,
  runid bigint primary key default nextval('cron.runid_seq'),
  job_pid integer,
  database text,
  username text,
  command text,
  status text,
  return_message text,
  start_time timestamptz,
  end_time timestamptz
);
alter table cron.job_run_details enable row level security;
create policy cron_job_run_details_policy on cron.job_run_details using (username = current_user);
grant select, delete on cron.job_run_details to public;

create function cron.is_superuser(role name)
returns boolean
language sql
stable
set search_path = ''
as $$ select rolsuper from pg_catalog.pg_roles where rolname = role $$;

-- A number as it stands in a schedule, or a name's.
create function cron.number_of(word text, low integer, names text[])
returns integer
language sql
immutable
set search_path = ''
as $$ select case when word ~ '^[0-9]+$' then word::integer else low - 1 + array_position(names, word) end $$;

-- What a field of a schedule stands for, or null where it is none: lists of numbers, names, ranges and steps.
create function cron.field_values(field text, low integer, high integer, names text[] default '{}')
returns integer[]
language plpgsql
immutable
set search_path = ''
as $$
declare
  numbers integer[] := '{}';
  part text;
  bounds text[];
  first integer;
  last integer;
begin
  if field is null then
    return null;
  end if;
  foreach part in array string_to_array(lower(field), ',') loop
    bounds := regexp_match(part, '^(?:(\*)|([0-9]{1,2}|[a-z]{3})(?:-([0-9]{1,2}|[a-z]{3}))?)(?:/([0-9]{1,2}))?$');
    if bounds is null then
      return null;
    end if;
    first := case when bounds[1] = '*' then low else cron.number_of(bounds[2], low, names) end;
    last := case when bounds[1] = '*' then high else cron.number_of(coalesce(bounds[3], bounds[2]), low, names) end;
    -- A step needs a range, and is not zero.
    if first is null or last is null or first < low or last > high or bounds[4]::integer = 0
       or (bounds[4] is not null and bounds[1] is null and bounds[3] is null) then
      return null;
    end if;
    numbers := numbers || array(select generate_series(first, last, coalesce(bounds[4]::integer, 1)));
  end loop;
  return numbers;
end
$$;

-- The five fields of a schedule, or null where it is none.
create function cron.fields(schedule text)
returns text[]
language sql
immutable
set search_path = ''
as $$
  select case when array_length(regexp_split_to_array(words, '\s+'), 1) = 5 then regexp_split_to_array(words, '\s+') end
  from (
    select coalesce(macros.fields, btrim(schedule)) as words
    from (select btrim(schedule) as word) asked
    left join (values
      ('@yearly', '0 0 1 1 *'), ('@annually', '0 0 1 1 *'), ('@monthly', '0 0 1 * *'), ('@weekly', '0 0 * * 0'),
      ('@daily', '0 0 * * *'), ('@midnight', '0 0 * * *'), ('@hourly', '0 * * * *')
    ) macros (name, fields) on macros.name = asked.word
  ) as written
$$;

-- The seconds of an interval schedule, or null.
create function cron.seconds(schedule text)
returns integer
language sql
immutable
set search_path = ''
as $$ select (regexp_match(schedule, '^ *0*([1-9]|[1-5][0-9]) seconds?$', 'i'))[1]::integer $$;

-- Whether a schedule in cron's format comes due in the minute that begins at a moment, in GMT; null where it is no schedule.
create function cron.is_due(schedule text, moment timestamptz)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  fields text[] := cron.fields(schedule);
  clock timestamp := moment at time zone 'GMT';
  minutes integer[] := cron.field_values(fields[1], 0, 59);
  hours integer[] := cron.field_values(fields[2], 0, 23);
  days integer[] := case when fields[3] = '$' then array[extract(day from date_trunc('month', clock) + interval '1 month - 1 day')::integer]
    else cron.field_values(fields[3], 1, 31) end;
  months integer[] := cron.field_values(fields[4], 1, 12, '{jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec}');
  weekdays integer[] := cron.field_values(fields[5], 0, 7, '{sun,mon,tue,wed,thu,fri,sat}');
  in_days boolean := extract(day from clock)::integer = any (days);
  in_weekdays boolean := extract(dow from clock)::integer = any (weekdays) or extract(isodow from clock)::integer = any (weekdays);
begin
  if num_nulls(minutes, hours, days, months, weekdays) > 0 then
    return null;
  end if;
  return extract(minute from clock)::integer = any (minutes)
    and extract(hour from clock)::integer = any (hours)
    and extract(month from clock)::integer = any (months)
    -- Where both days are named, either will do.
    and case when fields[3] like '*%' or fields[5] like '*%' then in_days and in_weekdays else in_days or in_weekdays end;
end
$$;

create function cron.check_schedule(schedule text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if cron.seconds(schedule) is null and cron.is_due(schedule, now()) is null then
    raise exception using errcode = '22023', message = format('invalid schedule: %s', schedule),
      hint = 'Use cron format (e.g. 5 4 * * *), or interval format ''[1-59] seconds''';
  end if;
end
$$;

-- The extension writes its table as its owner for every caller; the caller's name is handed on. Nobody gets a superuser's job by it.
create function cron.expect_caller(caller name)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if cron.is_superuser(caller) and not cron.is_superuser(session_user) then
    raise exception using errcode = '42501', message = format('permission denied to schedule for %s', caller);
  end if;
end
$$;

create function cron.write_job(caller name, name text, new_schedule text, new_command text, in_database text, new_active boolean)
returns bigint
language plpgsql
security definer
set search_path = ''
as $$
declare
  id bigint;
begin
  perform cron.expect_caller(caller);
  if new_schedule is null or new_command is null then
    raise exception using errcode = 'XX000',
      message = case when new_schedule is null then 'schedule' else 'command' end || ' can not be NULL';
  end if;
  perform cron.check_schedule(new_schedule);
  if not exists (select from pg_catalog.pg_database where datname = in_database) then
    raise exception using errcode = '3D000', message = format('database "%s" does not exist', in_database);
  end if;
  insert into cron.job (schedule, command, database, username, active, jobname)
  values (new_schedule, new_command, in_database, caller, new_active, name)
  -- A job that is switched off stays so.
  on conflict on constraint jobname_username_uniq
    do update set schedule = excluded.schedule, command = excluded.command, database = excluded.database
  returning jobid into id;
  return id;
end
$$;

create function cron.remove_job(caller name, name text, id bigint)
returns boolean
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform cron.expect_caller(caller);
  delete from cron.job where jobname = name and username = caller or jobid = id and (username = caller or cron.is_superuser(caller));
  if not found then
    raise exception using errcode = 'XX000',
      message = 'could not find valid entry for job ' || coalesce(id::text, quote_literal(name));
  end if;
  return true;
end
$$;

create function cron.change_job(
  caller name, job_id bigint, new_schedule text, new_command text, new_database text, new_username text, new_active boolean
)
returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform cron.expect_caller(caller);
  if new_username is not null and not cron.is_superuser(caller) then
    raise exception using errcode = 'XX000', message = 'must be superuser to alter username';
  elsif not exists (select from cron.job where jobid = job_id and (username = caller or cron.is_superuser(caller))) then
    raise exception using errcode = 'XX000', message = format('Job %s does not exist or you don''t own it', job_id);
  elsif num_nonnulls(new_schedule, new_command, new_database, new_username, new_active) = 0 then
    raise exception using errcode = 'XX000', message = 'no updates specified',
      hint = 'You must specify at least one job attribute to change when calling alter_job';
  end if;
  if new_schedule is not null then
    perform cron.check_schedule(new_schedule);
  end if;
  update cron.job j set
    schedule = coalesce(new_schedule, j.schedule), command = coalesce(new_command, j.command),
    database = coalesce(new_database, j.database), username = coalesce(new_username, j.username), active = coalesce(new_active, j.active)
  where j.jobid = job_id;
end
$$;

create function cron.schedule(job_name text, schedule text, command text)
returns bigint
language plpgsql
as $$
begin
  if job_name is null then
    raise exception using errcode = 'XX000', message = 'job_name can not be NULL';
  end if;
  return cron.write_job(current_user, job_name, schedule, command, current_database(), true);
end
$$;

create function cron.schedule(schedule text, command text)
returns bigint
language sql
strict
as $$ select cron.write_job(current_user, null, schedule, command, current_database(), true) $$;

create function cron.schedule_in_database(
  job_name text, schedule text, command text, database text, username text default null, active boolean default true
)
returns bigint
language plpgsql
as $$
begin
  if username is not null and not cron.is_superuser(current_user) then
    raise exception using errcode = 'XX000', message = 'must be superuser to create a job for another role';
  end if;
  return cron.write_job(coalesce(username, current_user), job_name, schedule, command, database, active);
end
$$;

create function cron.unschedule(job_name text)
returns boolean
language sql
strict
as $$ select cron.remove_job(current_user, job_name, null) $$;

create function cron.unschedule(job_id bigint)
returns boolean
language sql
strict
as $$ select cron.remove_job(current_user, null, job_id) $$;

create function cron.alter_job(
  job_id bigint,
  schedule text default null,
  command text default null,
  database text default null,
  username text default null,
  active boolean default null
)
returns void
language sql
as $$ select cron.change_job(current_user, job_id, schedule, command, database, username, active) $$;

revoke all on function cron.alter_job(bigint, text, text, text, text, boolean),
  cron.schedule_in_database(text, text, text, text, text, boolean) from public;

-- What Supabase grants where pg_cron is enabled.
grant usage on schema cron to postgres with grant option;
grant all on all functions in schema cron to postgres with grant option;
grant all on cron.job_run_details to postgres with grant option;
revoke trigger on cron.job_run_details from postgres;
grant select on cron.job to postgres with grant option;
