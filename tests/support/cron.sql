-- Stands in for pg_cron 1.6, which is a server extension: its tables and functions with their signatures, errors, rights
-- and rules, compared with the real one (1.6.4). Nothing runs by itself; tests run what is due. Made by the superuser,
-- granted as on a Supabase project.
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
as $$ select rolsuper from pg_catalog.pg_roles where rolname = role $$;

create function cron.check_schedule(schedule text)
returns void
language plpgsql
as $$
declare
  often constant text := '(\*|\*/[0-9]+|%s)';
begin
  if schedule !~* '^ *0*([1-9]|[1-5][0-9]) seconds?$'
     and schedule !~ format('^%s %s %s %s %s$', format(often, '[0-5]?[0-9]'), format(often, '[01]?[0-9]|2[0-3]'),
       format(often, '0?[1-9]|[12][0-9]|3[01]|\$'), format(often, '0?[1-9]|1[0-2]'), format(often, '[0-7]')) then
    raise exception using errcode = '22023', message = format('invalid schedule: %s', schedule),
      hint = 'Use cron format (e.g. 5 4 * * *), or interval format ''[1-59] seconds''';
  end if;
end
$$;

-- The extension writes its table as its owner, whoever calls; the caller's name is handed on.
create function cron.write_job(caller name, name text, new_schedule text, new_command text, in_database text, new_active boolean)
returns bigint
language plpgsql
security definer
as $$
declare
  id bigint;
begin
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
as $$
begin
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
as $$
begin
  if new_username is not null and not cron.is_superuser(caller) then
    raise exception using errcode = 'XX000', message = 'must be superuser to alter username';
  elsif not exists (select from cron.job where jobid = job_id and (username = caller or cron.is_superuser(caller))) then
    raise exception using errcode = 'XX000', message = format('Job %s does not exist or you don''t own it', job_id);
  elsif num_nonnulls(new_schedule, new_command, new_database, new_username, new_active) = 0 then
    raise exception using errcode = 'XX000', message = 'no updates specified',
      hint = 'You must specify at least one job attribute to change when calling alter_job';
  end if;
  perform cron.check_schedule(new_schedule);
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
grant select on cron.job to postgres with grant option;
